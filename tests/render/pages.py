"""Reports for the review page: real ones, hostile ones, large ones."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from typing import Any

from nbpr.diff.notebooks import compare
from nbpr.findings import Finding
from nbpr.render import Link, Report, ScrapRow
from tests.diff.scripts import book, code, stream
from tests.diff.scripts import markdown as text_cell


def png(width: int = 40, height: int = 30, seed: int = 0, noise: bool = False) -> bytes:
    """A picture; with `noise` one that does not compress."""
    rng = random.Random(seed)
    rows = b""
    for y in range(height):
        line = rng.randbytes(3 * width) if noise else bytes([seed % 256, y % 256, 90]) * width
        rows += b"\0" + line
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def picture(data: bytes) -> str:
    """A picture as an output holds it."""
    return base64.b64encode(data).decode()


def shows(**data: Any) -> dict[str, Any]:
    """An output of several forms: `shows(text__html=…)`."""
    bundle = {name.replace("__", "/").replace("_", "."): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


def scrap(name: Any, data: Any) -> dict[str, Any]:
    """What `scrapbook.glue` leaves."""
    held = {"name": name, "data": data, "encoder": "json", "version": 1}
    return {"output_type": "display_data", "metadata": {}, "data": {"application/scrapbook.scrap.json+json": held}}


def error(text: str) -> dict[str, Any]:
    """An error with a traceback."""
    return {"output_type": "error", "ename": text, "evalue": text, "traceback": [text, text]}


def every_output(text: str, n: int) -> list[dict[str, Any]]:
    """Each kind of output with the text wherever one goes."""
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return [
        stream(f"{text} {n}"),
        shows(text__html=f"{text} <p>{n}</p>", text__plain=text),
        shows(text__html=f"<table><tr><th>{text}</th></tr><tr><td>{text}</td><td>{n}</td></tr></table>"),
        shows(text__markdown=f"{text}\n\n{n}"),
        shows(text__latex=f"$${text}{n}$$"),
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{text}{n}</svg>"},
        },
        shows(image__png=encoded),
        shows(image__png=f"{encoded}' onerror='alert(1)"),
        shows(application__json={text: [text, n]}),
        {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": f"{text}{n}"}},
        {"output_type": "display_data", "metadata": {}, "data": {text: f"{text}{n}"}},
        scrap(text, [text, n]),
        error(f"{text}{n}"),
    ]


def hostile(text: str) -> Report:
    """A report in which everything that can come from outside is `text`."""
    attached = {"a.png": {"image/png": text, "image/svg+xml": text}}
    pairs = [
        (
            code(f"a = 1\n{text}\nb", "a", metadata={"tags": ["parameters"]}),
            code(f"a = {text!r}\n{text}", "a", metadata={"tags": ["parameters", text]}),
        ),
        (
            {**text_cell(f"{text}\n\nold", "b"), "attachments": attached},
            {**text_cell(f"{text}\n\nnew", "b"), "attachments": attached},
        ),
        (code("x", "c", outputs=every_output(text, 1)), code("x", "c", outputs=every_output(text, 2))),
        (None, {**code(text, "d", outputs=every_output(text, 3)), "id": text}),
        (code(text, "e"), None),
        (code(text, "f"), code(text, "f")),
    ]
    before, after = (book(*filter(None, side)) for side in zip(*pairs, strict=True))
    after["metadata"] = {
        text: text,
        "kernelspec": {"language": text},
        "language_info": {"name": text, "pygments_lexer": text},
    }
    failed = {"index": text, "id": text, "source": text, "ename": text, "evalue": text}
    run = {"role": text, "notebook": text, "status": text, "reason": text, "kernel": text, "failed_cell": failed}
    return Report(
        title=text,
        key=text,
        verdict="failed",
        operation=text,
        why=text,
        diffs=(compare(text, before, after), compare("b.ipynb", before, after)),
        findings=(Finding(text, "error", text, text, cell_id=text, hint=text),),
        scraps=(ScrapRow(text, text, text, [text], text, (1.0, 2.0, 3.0)), ScrapRow(text, text, 1, {text: text})),
        runs=({**run, "environment": {"python": text}},),
        links=(Link(text, text), Link(text, "https://x.test/"), Link(text, f"https://x.test/{text}")),
        notes=(text,),
        checks=(text,),
    )


def large(cells: int = 500, pictures: int = 50, size: int = 5_000_000) -> Report:
    """Many cells, all with a changed output, some with pictures of `size` bytes altogether, before and after."""
    side = int((size / pictures / 2 / 3) ** 0.5)
    sides = []
    for version in (0, 1):
        made = []
        for n in range(cells):
            outputs = [stream(f"row {i}: {i * n + version * (i % 7 == 0)}\n") for i in range(4)]
            if n % (cells // pictures) == 0:
                outputs.append(shows(image__png=picture(png(side, side - 2, n * 2 + version, noise=True))))
            source = (
                "\n".join(f"value_{i} = compute({i}, {n}, 'text')  # {i}" for i in range(8))
                + f"\nx = {version * (n % 5 == 0)}"
            )
            made.append(code(source, f"c{n}", outputs=outputs))
        sides.append(book(*made))
    return Report(title="A large change", key="k", verdict="passed", diffs=(compare("large.ipynb", *sides),))
