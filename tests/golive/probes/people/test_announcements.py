"""What was reported at the launch: each paper's links, mails and answers stand for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from golive.environments import Environment
from golive.probes.money import sales
from golive.probes.people import announcements, mail
from golive.probes.transport.answers import answers
from golive.verdicts import ProbeError
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)
TOLD = "audience: team\nversion: v2.0.0\nsent_at: 2026-12-07T13:00:00Z\n"


@pytest.fixture
def env(env_with: EnvWith, tmp_path: Path) -> Environment:
    return env_with(people={"roster": "roster.toml", "papers": str(tmp_path)})


def write(folder: Path, name: str, front: str) -> None:
    (folder / name).write_text(f"---\n{front}---\nIt is there.\n")


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        page = b"<p>Hello  there</p><a href='/shop'>shop</a>"
        for path in ("/post", "/post?a"):
            service.says(path, page, Content_Type="text/html")
        yield service


def test_every_message_s_links_are_followed_and_its_posts_read(
    env: Environment, tmp_path: Path, service: Service
) -> None:
    post, gone = f"{service.url}/post", f"{service.url}/gone"
    write(tmp_path, "message-team.md", f"{TOLD}links: ['{gone}']\n")
    write(
        tmp_path,
        "message-social.md",
        f"{TOLD}posts: [{{channel: x, address: '{post}', published_at: 2026-12-07T13:00:00Z,"
        f" link: '{post}?a'}}]\n",
    )
    found = announcements.message_links(env).of([post, gone, f"{post}?a"])
    assert [link.status for link in found.values()] == [200, 404, 200]
    assert (found[post].words, found[post].links) == ("Hello there shop", (f"{service.url}/shop",))
    assert found[f"{post}?a"].words == "", "only what a post says is kept"


def test_what_cannot_be_asked_for_one_message_hides_nothing_of_another(
    env: Environment, tmp_path: Path, service: Service
) -> None:
    write(tmp_path, "message-team.md", f"{TOLD}links: ['{service.url}/post']\n")
    write(tmp_path, "message-press.md", f"{TOLD}links: ['tel:1']\n")
    write(tmp_path, "message-social.md", "audience: nobody in particular\n")
    links = announcements.message_links(env)
    assert [x.is_there for x in links.of([f"{service.url}/post"]).values()] == [True]
    with pytest.raises(ProbeError, match="no http or https address"):
        links.of(["tel:1"])
    with pytest.raises(ProbeError, match="no paper named it when this run looked"):
        links.of([f"{service.url}/post", "https://elsewhere.example"])


def test_mails_are_looked_up_one_by_one(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def activity(_: Environment, since: datetime) -> list[mail.Sent]:
        if since > NOON + timedelta(hours=1):
            raise ProbeError("mail activity", "it tells no more", "wait")
        return [mail.Sent("first.recvd-0", "tess@example.com", "", "delivered", NOON)]

    monkeypatch.setattr(mail, "activity", activity)
    write(tmp_path, "message-team.md", f"{TOLD}mail_id: first\n")
    later = TOLD.replace("13:00", "14:00")
    write(tmp_path, "message-stakeholders.md", f"{later}mail_id: second\n")
    found = announcements.message_deliveries(env)
    assert found.of(["first"])["first"].missed(["tess@example.com"]) == []
    with pytest.raises(ProbeError, match="it tells no more"):
        found.of(["second"])


def test_mails_that_came_back_are_kept_without_what_they_say(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = [
        mail.Reply(
            received_at=NOON + timedelta(hours=n),
            sender="editor@example.com",
            to=f"Press <{to}@Shop.example>",
            subject="?",
            text="in confidence",
        )
        for n, to in ((1, "press"), (2, "press"), (3, "reply"))
    ]
    monkeypatch.setattr(
        mail, "replies", lambda _, since: [r for r in came if r.received_at > since]
    )
    assert announcements.arrivals(env).since is None
    write(tmp_path, "message-team.md", f"{TOLD}cutover_at: 2026-12-07T12:00:00Z\n")
    found = announcements.arrivals(env)
    assert [m.received_at.hour for m in found.to("press@shop.example", NOON)] == [13, 14]
    assert len(found.to("press@shop.example", NOON + timedelta(hours=1.5))) == 1
    with pytest.raises(ProbeError, match="run it again"):
        found.to("press@shop.example", NOON - timedelta(hours=1))
    assert "in confidence" not in str(msgspec.to_builtins(found))


def test_sales_are_those_of_the_week_that_the_business_case_names(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sales.baseline_sales(env).found == {}, "there is no paper yet"
    monkeypatch.setattr(sales, "of_week", lambda _, first: sales.Sales(first.day, 1))
    write(
        tmp_path,
        "business-case.md",
        "written_on: 2026-12-01\ncurrency: USD\nbaseline_week: 2026-11-09\n"
        "baseline_bookings: 1\nbaseline_revenue_cents: 1\nbaseline_cost_cents: 1\n"
        "goals: {}\nobjectives: []\nrevenue_positive: fees\n",
    )
    found = sales.baseline_sales(env).of([f"{date(2026, 11, 9)}"])
    assert list(found.values()) == [sales.Sales(9, 1)]


def test_several_that_fail_are_one_error_that_names_each() -> None:
    def look(name: str) -> int:
        if name == "c":
            return 1
        raise ProbeError(name, "refused", "start it")

    found = answers(["a", "b", "c"], look)
    assert found.of(["c", "c"]) == {"c": 1}
    with pytest.raises(ProbeError, match="2 addresses: a: refused; b: refused"):
        found.of(["a", "b", "c"])
