"""JUnit: what stands in it, that it is valid by a schema, and that no text breaks it."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from nbpr.render import junit
from tests.render.gateresults import five, good, hostile, mixed, nothing
from tests.render.payloads import PAYLOADS
from tests.render.test_markdown import HOSTILE

xmlschema = pytest.importorskip("xmlschema", reason="no xmlschema: pip install xmlschema")

#: What CI servers agree on of JUnit's format: the elements, their order, and attributes of the right types.
SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">
  <xs:attributeGroup name="counts">
    <xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="tests" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="failures" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="errors" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="skipped" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
  </xs:attributeGroup>
  <xs:complexType name="told">
    <xs:simpleContent><xs:extension base="xs:string">
      <xs:attribute name="message" type="xs:string" use="required"/>
      <xs:attribute name="type" type="xs:string"/>
    </xs:extension></xs:simpleContent>
  </xs:complexType>
  <xs:element name="testsuites"><xs:complexType>
    <xs:sequence><xs:element ref="testsuite" minOccurs="1" maxOccurs="unbounded"/></xs:sequence>
    <xs:attributeGroup ref="counts"/>
  </xs:complexType></xs:element>
  <xs:element name="testsuite"><xs:complexType>
    <xs:sequence><xs:element ref="testcase" minOccurs="1" maxOccurs="unbounded"/></xs:sequence>
    <xs:attributeGroup ref="counts"/>
  </xs:complexType></xs:element>
  <xs:element name="testcase"><xs:complexType>
    <xs:sequence>
      <xs:element name="skipped" type="told" minOccurs="0"/>
      <xs:element name="failure" type="told" minOccurs="0"/>
      <xs:element name="system-out" type="xs:string" minOccurs="0"/>
    </xs:sequence>
    <xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="classname" type="xs:string" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
  </xs:complexType></xs:element>
</xs:schema>
"""


@pytest.fixture(scope="module")
def schema() -> object:
    return xmlschema.XMLSchema(SCHEMA)


def suites(text: str) -> dict[str, ElementTree.Element]:
    return {str(suite.get("name")): suite for suite in ElementTree.fromstring(text.encode())}


def case(suite: ElementTree.Element, name: str) -> ElementTree.Element:
    (found,) = (one for one in suite if one.get("name") == name)
    return found


def test_a_suite_per_notebook_and_a_case_per_check_and_checked_cell(schema: object) -> None:
    text = junit.text(five())
    schema.validate(text)  # type: ignore[attr-defined]
    found = suites(text)
    assert list(found) == [
        "nbpr gate",
        *(f"notebooks/{name}.ipynb" for name in "good dirty failing changing low".split()),
    ]
    names = [one.get("name") for one in found["notebooks/good.ipynb"]]
    assert names[:2] == ["format", "clean"]
    assert names[-2:] == ["reproduce: cell shown", "reproduce: cell after"]
    assert {one.get("classname") for one in found["notebooks/good.ipynb"]} == {"notebooks/good.ipynb"}
    assert [suite.get("failures") for suite in found.values()] == ["1", "0", "1", "1", "1", "1"]
    root = ElementTree.fromstring(text.encode())
    assert (root.get("tests"), root.get("failures")) == ("51", "5")
    assert root.get("tests") == str(sum(len(suite) for suite in root))


def test_failures_say_what_in_which_cell_and_what_mends_it() -> None:
    found = suites(junit.text(five()))
    failure = case(found["notebooks/dirty.ipynb"], "clean").find("failure")
    assert failure is not None
    assert failure.get("message") == "1 cell has outputs"
    assert failure.get("type") == "clean"
    assert failure.text == (
        "error: 1 cell has outputs\nnotebook: notebooks/dirty.ipynb\ncell: shown\nmend: nbpr check --fix"
    )
    said = case(found["notebooks/dirty.ipynb"], "size").findtext("system-out")
    assert said is not None
    assert said.startswith("warning: 2 MB\n")


def test_a_cell_that_does_not_reproduce_is_its_own_failure() -> None:
    suite = suites(junit.text(five()))["notebooks/changing.ipynb"]
    assert case(suite, "reproduce: cell after").find("failure") is not None
    assert case(suite, "reproduce: cell shown").find("failure") is None
    assert case(suite, "reproduce").find("failure") is None


def test_a_cell_of_which_it_is_not_known_that_it_was_compared_has_not_passed() -> None:
    found = suites(junit.text(five()))
    for name, why in (("failing", "the run stopped before"), ("low", "its outputs may not have been compared")):
        suite = found[f"notebooks/{name}.ipynb"]
        for cell in ("shown", "after"):
            skipped = case(suite, f"reproduce: cell {cell}").find("skipped")
            assert skipped is not None
            assert str(skipped.get("message")).startswith(why)
        assert suite.get("skipped") == "2"
    assert found["notebooks/good.ipynb"].get("skipped") == "0"
    uncounted = replace(good(), notebooks=(replace(good().notebooks[0], findings=()),))
    assert suites(junit.text(uncounted))["notebooks/good.ipynb"].get("skipped") == "2"


def test_the_run_takes_its_time() -> None:
    suite = suites(junit.text(five(12.25)))["notebooks/good.ipynb"]
    assert case(suite, "execute").get("time") == suite.get("time") == "12.250"


def test_where_no_notebook_changed_there_is_still_a_test_that_passed(schema: object) -> None:
    text = junit.text(nothing())
    schema.validate(text)  # type: ignore[attr-defined]
    assert [one.get("name") for one in suites(text)["nbpr gate"]] == ["no notebook changed"]
    schema.validate(junit.text(good()))  # type: ignore[attr-defined]


def test_no_text_breaks_it(schema: object) -> None:
    pool = [*HOSTILE, *PAYLOADS, "]]>", "&#0;", "\ufffe", "\uffff", "\x1b[1mx", "\x7f", "\x9b31m", "<![CDATA["]
    for seed in range(60):
        text = junit.text(hostile(mixed(seed, pool)))
        schema.validate(text)  # type: ignore[attr-defined]
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", text)
        text.encode("utf-8")


def test_the_schema_says_no() -> None:
    with pytest.raises(xmlschema.XMLSchemaException):
        xmlschema.XMLSchema(SCHEMA).validate(junit.text(good()).replace('tests="', 'tests="x', 1))
