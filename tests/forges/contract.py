"""What every forge does alike. `tests/forges/test_contract.py` runs this on each of them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from nbpr.errors import BadInput, NotAllowed
from nbpr.forges import Annotation, Check, Remark, Status
from nbpr.git.repository import Stale
from tests.forges.places import ME, OTHER, Place
from tests.forges.serving import Fault

MARKER = "<!-- nbpr:x -->"


def until_merged(place: Place) -> bool:
    """Whether it is merged, soon: a real server does it when it comes to it."""
    for _ in range(1 if place.fake else 100):
        if place.forge().get(1).state == "merged":
            return True
        time.sleep(0.2)
    return place.forge().get(1).state == "merged"


def remarked(place: Place) -> list[tuple[int, str]]:
    """What stands at lines of the first pull request as everybody sees it: the lines and the texts, oldest first."""
    assert place.by_api is not None
    if place.kind == "github":
        return [(one["line"], one["body"]) for one in place.by_api("GET", "/pulls/1/comments")]
    reviews = sorted(place.by_api("GET", "/pulls/1/reviews") or [], key=lambda one: int(one["id"]))
    listed = (place.by_api("GET", f"/pulls/1/reviews/{one['id']}/comments") or [] for one in reviews)
    found = sorted((one for each in listed for one in each), key=lambda one: int(one["id"]))
    return [(one["position"], one["body"]) for one in found]


class Contract:
    """The tests; each gets a fresh repository."""

    def test_opening_makes_branch_and_pull_request(self, place: Place) -> None:
        opening = place.opening()
        pull = place.forge().open(opening)
        assert (pull.number, pull.state, pull.draft, pull.head, pull.base) == (1, "open", False, "agent/x", "main")
        assert (pull.title, pull.body, pull.head_sha) == (opening.title, opening.body, opening.head_sha)
        assert place.on_server("agent/x") == opening.head_sha
        again = place.forge()
        assert again.get(1) == pull
        assert [found.number for found in again.find()] == [1]
        assert again.find()[0].body == opening.body

    def test_a_branch_that_is_there_already_is_not_overwritten(self, place: Place) -> None:
        place.forge().open(place.opening())
        with pytest.raises(Stale):
            place.forge().open(place.opening(text="c"))
        assert len(place.forge().find(state=None)) == 1

    def test_new_content_and_a_new_body(self, place: Place) -> None:
        pull = place.forge().open(place.opening())
        newer = place.child(pull.head_sha, "c")
        moved = place.forge().update(pull, head_sha=newer, body=pull.body + "\nmore: ü")
        assert (moved.head_sha, moved.body) == (newer, pull.body + "\nmore: ü")
        assert place.on_server("agent/x") == newer
        assert place.forge().get(1) == moved

    def test_what_is_so_already_is_not_written(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        if place.fake:
            place.fake.reset()
        assert forge.update(pull, head_sha=pull.head_sha, body=pull.body, draft=False, state="open") == pull
        if place.fake:
            assert (place.fake.requests, place.fake.pushes) == ([], 0)

    def test_somebody_pushed_meanwhile(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        theirs = place.child(pull.head_sha, "theirs")
        place.push(theirs, "agent/x")
        with pytest.raises(Stale):
            forge.update(pull, head_sha=place.child(pull.head_sha, "ours"), body="other")
        now = place.forge().get(1)
        assert (now.head_sha, now.body) == (theirs, pull.body)

    def test_somebody_edited_the_body_meanwhile(self, place: Place) -> None:
        if place.by_api is None:
            pytest.skip("nobody edits a local pull request but with nbpr")
        forge = place.forge()
        pull = forge.open(place.opening())
        place.by_api("PATCH", "/pulls/1", {"body": f"{pull.body}\r\n\r\nI looked at it."})
        with pytest.raises(Stale):
            forge.update(pull, head_sha=place.child(pull.head_sha, "c"), body=f"{pull.body}\nours")
        now = place.forge().get(1)
        assert now.body == f"{pull.body}\n\nI looked at it."
        assert place.on_server("agent/x") == pull.head_sha

    def test_comments_are_kept_in_order(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        pull = forge.comment(pull, "first: ü")
        forge.comment(pull, "second\n\n- x")
        assert [said.body for said in place.forge().get(1).comments] == ["first: ü", "second\n\n- x"]
        assert {said.author for said in place.forge().get(1).comments} == {forge.login()}

    def test_a_comment_whose_answer_was_lost_is_made_once(self, place: Place) -> None:
        """With any line ends: what people paste has those of their system, and is read with ours."""
        if place.fake is None:
            pytest.skip("no answer is lost there")
        forge = place.forge()
        pull = forge.open(place.opening())
        place.fake.reset({1: Fault("reset", after=True)})
        forge.comment(pull, "one\r\ntwo\r\n")
        assert [said.body for said in place.forge().get(1).comments] == ["one\ntwo\n"]

    def test_the_sticky_comment_is_one(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        for text in ("one", "one", "two", "two"):
            pull = place.forge().comment(place.forge().get(1), f"{MARKER}\n{text}", marker=MARKER)
        assert [said.body for said in pull.comments] == [f"{MARKER}\ntwo"]
        assert place.forge().get(1).comments == pull.comments

    def test_somebody_elses_comment_with_our_marker_is_theirs(self, place: Place) -> None:
        if place.by_api is None:
            pytest.skip("everybody is git's author there")
        forge = place.forge()
        pull = forge.open(place.opening())
        place.by_api("POST", "/issues/1/comments", {"body": f"{MARKER} theirs"})
        forge.comment(pull, f"{MARKER} ours", marker=MARKER)
        said = [(one.author, one.body) for one in place.forge().get(1).comments]
        assert said == [(OTHER, f"{MARKER} theirs"), (ME, f"{MARKER} ours")]

    def test_remarks_are_made_once_reworded_and_taken_back(self, place: Place) -> None:
        if place.by_api is None:
            pytest.skip("a local pull request is read on its review page")
        forge = place.forge()
        pull = forge.open(place.opening(text="one\ntwo\nthree\n"))
        first, second = Remark("k1", "a.txt", 1, "one: ü"), Remark("k2", "a.txt", 3, "three")
        forge.remark(pull, [first, second])
        assert remarked(place) == [(1, first.text), (3, second.text)]
        if place.fake:
            place.fake.reset()
        place.forge().remark(pull, [second, first])
        assert remarked(place) == [(1, first.text), (3, second.text)]
        if place.fake:
            assert place.fake.writes == []
        third = Remark("k3", "a.txt", 2, "two")
        place.forge().remark(pull, [replace(second, body="three, again"), third])
        assert sorted(remarked(place)) == [(2, third.text), (3, replace(second, body="three, again").text)]
        place.forge().remark(pull, [])
        assert remarked(place) == []

    def test_a_remark_that_somebody_answered_stays(self, place: Place) -> None:
        if place.fake is None:
            pytest.skip("only the web page answers, or only pages show it")
        pull = place.forge().open(place.opening(text="one\ntwo\nthree\n"))
        answered, other = Remark("k1", "a.txt", 1, "one"), Remark("k2", "a.txt", 3, "three")
        place.forge().remark(pull, [answered, other])
        kept = place.fake.repos["ada/x"].kept
        kept.answer(place.fake.number, kept.comments[0]["id"], OTHER, "it is meant so")
        place.forge().remark(pull, [])
        assert remarked(place) == [(1, answered.text), (1, "it is meant so")]

    def test_somebody_elses_remarks_are_theirs(self, place: Place) -> None:
        if place.by_api is None:
            pytest.skip("a local pull request is read on its review page")
        forge = place.forge()
        pull = forge.open(place.opening(text="one\ntwo\n"))
        theirs = Remark("k1", "a.txt", 2, "I looked at it").text
        at = {"new_position": 2} if place.kind == "gitea" else {"line": 2, "side": "RIGHT"}
        comment = {"path": "a.txt", "body": theirs, **at}
        place.by_api("POST", "/pulls/1/reviews", {"event": "COMMENT", "body": "x", "comments": [comment]})
        ours = Remark("k1", "a.txt", 1, "ours")
        forge.remark(pull, [ours])
        assert sorted(remarked(place)) == [(1, ours.text), (2, theirs)]
        place.forge().remark(pull, [])
        assert remarked(place) == [(2, theirs)]

    def test_a_review_that_we_have_not_submitted_is_not_submitted_for_us(self, place: Place) -> None:
        if place.by_me is None or place.kind != "gitea":
            pytest.skip("Gitea alone takes a draft along")
        forge = place.forge()
        pull = forge.open(place.opening(text="one\ntwo\n"))
        draft = {"path": "a.txt", "body": "not yet thought through", "new_position": 2}
        place.by_me("POST", "/pulls/1/reviews", {"event": "PENDING", "body": "a draft", "comments": [draft]})
        with pytest.raises(NotAllowed, match="not submitted"):
            forge.remark(pull, [Remark("k1", "a.txt", 1, "ours")])
        assert remarked(place) == []

    def test_remarks_that_were_broken_off_are_not_made_twice(self, place: Place) -> None:
        if place.by_me is None or place.kind != "gitea":
            pytest.skip("on GitHub a review is made whole or not at all")
        forge = place.forge()
        pull = forge.open(place.opening(text="one\ntwo\n"))
        ours = Remark("k1", "a.txt", 1, "ours")
        left = {"path": "a.txt", "body": ours.text, "new_position": 1}
        place.by_me("POST", "/pulls/1/reviews", {"event": "PENDING", "body": "a draft", "comments": [left]})
        forge.remark(pull, [ours])
        assert remarked(place) == [(1, ours.text)]

    def test_a_status_is_set_once(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        for state in ("success", "success", "failure"):
            place.forge().status(pull.head_sha, Status("nbpr", state, "why"))
        if place.fake:
            repo = place.fake.repos["ada/x"]
            assert [one.get("status", one.get("state")) for one in repo.statuses] == ["success", "failure"]

    def test_drafts_become_ready_and_back(self, place: Place) -> None:
        pull = place.forge().open(place.opening(draft=True))
        assert (pull.draft, pull.title) == (True, "Über x")
        ready = place.forge().update(place.forge().get(1), draft=False)
        assert (ready.draft, ready.title) == (False, "Über x")
        assert not place.forge().get(1).draft
        place.forge().update(ready, draft=True)
        assert (place.forge().get(1).draft, place.forge().find()[0].title) == (True, "Über x")

    def test_labels_and_reviewers_are_added(self, place: Place) -> None:
        pull = place.forge().open(place.opening(labels=("über", "b"), reviewers=(OTHER,)))
        assert set(pull.labels) == {"über", "b"}
        more = place.forge().update(place.forge().get(1), labels=(*pull.labels, "c"))
        now = place.forge().get(1)
        assert set(now.labels) == set(more.labels) == {"über", "b", "c"}
        assert now.reviewers == (OTHER,)

    def test_people_are_assigned(self, place: Place) -> None:
        pull = place.forge().open(place.opening(assignees=(OTHER,)))
        assert pull.assignees == (OTHER,)
        assert place.forge().get(1).assignees == (OTHER,)
        more = place.forge().update(place.forge().get(1), assignees=(OTHER, ME))
        assert set(more.assignees) == set(place.forge().get(1).assignees) == {ME, OTHER}
        if place.fake:
            forge = place.forge()
            now = forge.get(1)
            place.fake.reset()
            forge.update(now, assignees=(*now.assignees, OTHER.upper()))  # servers do not mind how it is written
            assert place.fake.writes == []

    def test_somebody_who_cannot_be_assigned(self, place: Place) -> None:
        if place.kind == "local":
            pytest.skip("it knows nobody, and takes every name")
        pull = place.forge().open(place.opening())
        with pytest.raises(NotAllowed, match="#1 stands, but nobody-at-all cannot be assigned"):
            place.forge().update(pull, assignees=("nobody-at-all",))
        assert place.forge().get(1).assignees == ()

    def test_a_milestone(self, place: Place) -> None:
        if place.by_owner:
            for title in ("1.0", "2.0: ü"):
                place.by_owner("POST", "/milestones", {"title": title})
        pull = place.forge().open(place.opening(milestone="2.0: ü"))
        assert pull.milestone == place.forge().get(1).milestone == place.forge().find()[0].milestone == "2.0: ü"
        assert place.forge().update(pull, milestone="1.0").milestone == "1.0"
        now = place.forge().get(1)
        assert (now.milestone, now.body, now.title) == ("1.0", pull.body, pull.title)

    def test_a_milestone_that_is_not_there(self, place: Place) -> None:
        if place.by_owner is None:
            pytest.skip("it takes every title")
        place.by_owner("POST", "/milestones", {"title": "1.0"})
        pull = place.forge().open(place.opening())
        with pytest.raises(BadInput, match="no milestone 'next'") as caught:
            place.forge().update(pull, milestone="next")
        assert "1.0" in str(caught.value.hint)
        assert place.forge().get(1).milestone is None

    def test_nothing_merges_by_itself_at_once(self, place: Place) -> None:
        if place.kind == "github" and place.fake:
            place.fake.repos["ada/x"].settings["allow_auto_merge"] = True
        pull = place.forge().open(place.opening())
        with pytest.raises(NotAllowed, match="wait") as caught:
            place.forge().auto_merge(pull)
        assert caught.value.hint
        assert "nbpr pulls merge 1" in caught.value.hint
        assert place.forge().get(1).state == "open"

    def test_it_is_merged_when_its_checks_have_passed(self, place: Place) -> None:
        if place.by_owner is None or place.by_api is None:
            pytest.skip("it runs no checks")
        if place.fake:
            place.fake.repos["ada/x"].settings["allow_auto_merge"] = True
        rule = {"rule_name": "main", "enable_status_check": True, "status_check_contexts": ["ci"], "enable_push": True}
        place.by_owner("POST", "/branch_protections", rule)
        pull = place.forge().open(place.opening())
        assert place.forge().auto_merge(pull)
        if place.fake:
            place.fake.reset()
        assert not place.forge().auto_merge(place.forge().get(1))
        if place.fake:
            assert place.fake.writes == []
        assert place.forge().get(1).state == "open"
        status = {"context": "ci", "state": "success", "description": "", "target_url": "https://ci.test/1"}
        place.by_api("POST", f"/statuses/{pull.head_sha}", status)
        assert until_merged(place)
        assert place.on_server("main") == place.forge().get(1).merge_sha

    def test_a_draft_does_not_merge_by_itself(self, place: Place) -> None:
        pull = place.forge().open(place.opening(draft=True))
        with pytest.raises(NotAllowed):
            place.forge().auto_merge(pull)
        assert place.forge().get(1).draft

    def test_files_are_kept_once(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        png = b"\x89PNG\r\n\x1a\n" + bytes(100)
        files = {"0123456789abcdef.png": png, "review-0123.zip": b"PK\x05\x06" + bytes(18)}
        taken = forge.takes(files)
        wanted = {name: files[name] for name in taken}
        urls = place.forge().keep(pull, wanted)
        assert set(urls) == taken
        if place.kind == "local":
            assert urls == {}
            return
        assert "0123456789abcdef.png" in taken
        assert ("review-0123.zip" in taken) == (place.kind == "gitea")
        assert all(url.startswith("http") for url in urls.values())
        if place.fake:
            place.fake.reset()
        assert place.forge().keep(pull, wanted) == urls
        if place.fake:
            assert (place.fake.writes, place.fake.pushes) == ([], 0)
        assert place.forge().get(1).body == pull.body

    def test_a_status_says_where_more_of_it_stands(self, place: Place) -> None:
        pull = place.forge().open(place.opening())
        said = Status("nbpr", "success", "well", "https://ci.test/run/7")
        place.forge().status(pull.head_sha, said)
        assert place.forge().statuses(pull.head_sha) == {"nbpr": said}
        if place.fake:
            place.fake.reset()
            place.forge().status(pull.head_sha, said)
            assert place.fake.writes == []

    def test_a_status_among_more_than_a_page_of_them(self, place: Place) -> None:
        if place.by_api is None:
            pytest.skip("it has no pages")
        pull, said = place.forge().open(place.opening()), Status("nbpr", "success", "passed")
        for part in ("before", "after"):
            for number in range(30):
                body = {"context": f"{part}/{number}", "state": "success", "description": "", "target_url": ""}
                place.by_api("POST", f"/statuses/{pull.head_sha}", body)
            place.forge().status(pull.head_sha, said)
        found = place.forge().statuses(pull.head_sha)
        assert (found["nbpr"], len(found)) == (said, 61)
        if place.fake:
            assert len([one for one in place.fake.repos["ada/x"].statuses if one["context"] == "nbpr"]) == 1

    def test_annotations_where_there_is_room_for_them(self, place: Place) -> None:
        pull = place.forge().open(place.opening())
        many = tuple(Annotation("a.txt", 1, "warning", f"message {n}", "title") for n in range(120))
        check = Check("nbpr", "failure", "1 failed", "- `a.txt`", many, "https://ci.test/7")
        if place.kind != "github" or place.fake is None:
            place.forge().annotate(pull.head_sha, check)
            return
        forge = place.forge()
        place.fake.reset()
        for _ in range(2):
            with pytest.raises(NotAllowed, match="from Apps alone"):
                forge.annotate(pull.head_sha, check)
        assert len(place.fake.writes) == 1  # it is not asked twice
        place.fake.apps.add(ME)
        place.fake.reset({2: Fault("reset", after=True), 5: Fault("502")})
        for _ in range(2):
            place.forge().annotate(pull.head_sha, check)
        (run,) = place.fake.repos["ada/x"].check_runs
        assert [one["message"] for one in run["annotations"]] == [one.message for one in many]
        assert {one["annotation_level"] for one in run["annotations"]} == {"warning"}
        assert (run["conclusion"], run["details_url"]) == ("failure", "https://ci.test/7")

    def test_closing_and_opening_again(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        assert forge.close(pull).state == "closed"
        assert place.forge().find() == []
        assert [found.state for found in place.forge().find(state=None)] == ["closed"]
        closed = place.forge().get(1)
        assert place.forge().update(closed, state="open").state == "open"
        assert [found.number for found in place.forge().find()] == [1]

    def test_closing_with_its_branch(self, place: Place) -> None:
        forge = place.forge()
        forge.close(forge.open(place.opening()), delete_branch=True)
        assert place.on_server("agent/x") is None
        assert place.forge().get(1).state == "closed"
        again = place.forge().open(place.opening(text="z"))
        assert (again.number, again.state) == (2, "open")

    def test_merging(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        base = str(place.repository.head)
        tree = place.repository.git("rev-parse", pull.head_sha + "^{tree}")
        merged = forge.merge(pull, place.repository.commit(tree, [base, pull.head_sha], "Merge\n\nit\n"), base)
        assert merged.state == "merged"
        now = place.forge()
        assert [(found.number, found.state) for found in now.find(state=None)] == [(1, "merged")]
        assert now.find() == []
        assert place.on_server("main") == merged.merge_sha
        assert place.repository.git("rev-parse", f"{merged.merge_sha}^{{tree}}") == tree
        assert place.repository.is_ancestor(pull.head_sha, str(merged.merge_sha))

    def test_merging_what_a_server_would_merge_otherwise(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        theirs = place.child(str(place.repository.head), "theirs", "b.txt")
        place.push(theirs, "main")
        forge = place.forge()
        tree = place.repository.edited_tree(pull.head_sha, {"b.txt": b"made anew", "a.txt": b"by cell"})
        sha = place.repository.commit(tree, [theirs, pull.head_sha], "Merge\n")
        merged = forge.merge(forge.get(1), sha, theirs)
        place.forge()
        assert merged.state == "merged"
        assert place.repository.git("rev-parse", f"{merged.merge_sha}^{{tree}}") == tree
        assert place.repository.is_ancestor(pull.head_sha, str(merged.merge_sha))

    def test_what_was_merged_by_hand_is_merged(self, place: Place) -> None:
        forge = place.forge()
        pull = forge.open(place.opening())
        tree = place.repository.git("rev-parse", pull.head_sha + "^{tree}")
        base = str(place.repository.head)
        place.push(place.repository.commit(tree, [base, pull.head_sha], "Merge by hand\n"), "main")
        assert [found.state for found in place.forge().find(state=None)] == ["merged"]

    def test_two_that_claim_the_same_meet(self, place: Place) -> None:
        late = place.forge()
        place.forge().open(place.opening("agent/one", claim="me\nkey"))
        for ref in place.repository.refs("refs/nbpr/remotes"):  # a clone elsewhere has not seen it yet
            if not ref.endswith("heads/main"):
                place.repository.git("update-ref", "-d", ref)
        with pytest.raises(Stale):
            late.open(place.opening("agent/two", "c", claim="me\nkey"))
        assert place.on_server("agent/two") is None
        assert [pull.head for pull in place.forge().find()] == ["agent/one"]

    def test_a_claim_that_is_left_over_is_taken(self, place: Place) -> None:
        forge = place.forge()
        forge.close(forge.open(place.opening("agent/one", claim="me\nkey")))
        assert place.forge().open(place.opening("agent/two", "c", claim="me\nkey")).number == 2

    def test_an_unknown_number(self, place: Place) -> None:
        with pytest.raises(BadInput, match="no pull request #4"):
            place.forge().get(4)

    def test_a_branch_without_news_makes_no_pull_request(self, place: Place) -> None:
        if place.kind == "local":
            pytest.skip("it takes what it is given; planning keeps this away")
        base = str(place.repository.head)
        same = place.repository.commit(place.repository.git("rev-parse", base + "^{tree}"), [base], "empty\n")
        with pytest.raises(BadInput, match="nothing to propose"):
            place.forge().open(replace(place.opening(), head_sha=same))
        assert place.on_server("agent/x") is None
        assert place.forge().find(state=None) == []

    def test_a_pull_request_that_is_there_already_is_taken_over(self, place: Place) -> None:
        if place.kind == "local":
            pytest.skip("branch and pull request go together there")
        opening = place.opening(labels=("x",))
        first = place.forge().open(opening)
        half = replace(opening, head_old=opening.head_sha, body=opening.body + "\nmore")
        again = place.forge().open(half)
        assert (again.number, again.body, again.labels) == (first.number, half.body, ("x",))
        assert len(place.forge().find(state=None)) == 1
