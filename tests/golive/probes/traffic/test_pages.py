from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from golive.environments import Environment
from golive.probes.traffic import pages
from golive.probes.traffic.pages import Link, follow, look_up
from golive.verdicts import ProbeError
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
HTML = "text/html; charset=utf-8"


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        service.says("/bridge", "Wärter".encode(), Content_Type=HTML)
        yield service


def test_every_status_is_an_answer(env_with: EnvWith, service: Service) -> None:
    wanted = [f"{service.url}{path}" for path in ("/gone", "/bridge", "/gone")]
    gone, bridge = look_up(env_with(), wanted)
    assert (gone.status, gone.is_there) == (404, False)
    assert (bridge.status, bridge.is_there, bridge.text) == (200, True, "Wärter")
    assert bridge.sha256 == hashlib.sha256("Wärter".encode()).hexdigest()
    assert bridge.complete
    assert str(gone) == f"{service.url}/gone (status 404)"


def test_a_page_tells_its_words_and_links(env_with: EnvWith, service: Service) -> None:
    html = (
        "<title>T</title><style>p {}</style><p>It&#39;s  <b>live</b></p><script>1</script>"
        '<a href="/a?x=1&amp;y=2">here</a><a href="/a?x=1&amp;y=2">again</a><a>none</a>'
    )
    service.says("/post", html.encode(), Content_Type=HTML)
    [page] = look_up(env_with(), [f"{service.url}/post"])
    assert page.words == "T It's live here again none"
    assert page.links == [f"{service.url}/a?x=1&y=2"]


def test_a_link_ends_on_its_host_unless_the_page_is_gone(
    env_with: EnvWith, service: Service
) -> None:
    there, gone = (f"{service.url}{path}" for path in ("/bridge", "/gone"))
    links = follow(env_with(), [there, gone]).of([there, gone])
    assert links[there].is_at(["127.0.0.1"])
    assert not links[there].is_at(["www.example.com"])
    assert not links[gone].is_at(["127.0.0.1"])


def test_redirects_are_followed_to_their_end(env_with: EnvWith, service: Service) -> None:
    service.says("/a", b"", status=301, Location="/b?token=kestrel")
    service.says("/b?token=kestrel", b"", status=302, Location=f"{service.url}/bridge")
    [page] = look_up(env_with(), [f"{service.url}/a"])
    assert page.final_url == f"{service.url}/bridge"
    assert [urlsplit(hop).path for hop in page.hops] == ["/a", "/b", "/bridge"]
    assert str(page) == f"{service.url}/a (status 200, sent on to {service.url}/bridge)"


def test_a_circle_of_redirects_is_left(env_with: EnvWith, service: Service) -> None:
    service.says("/a", b"", status=302, Location="/a")
    with pytest.raises(ProbeError, match="it is sent on more than 5 times"):
        look_up(env_with(), [f"{service.url}/a"])
    assert len(service.asked) == 6


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[/"])
def test_a_redirect_leads_to_web_pages_only(env_with: EnvWith, service: Service, to: str) -> None:
    service.says("/a", b"", status=302, Location=to)
    with pytest.raises(ProbeError, match=r"no http or https address|no address: Invalid"):
        look_up(env_with(), [f"{service.url}/a"])


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "javascript:alert(1)", "https://", "", "http://a:b:c/", "/bridge"]
)
def test_only_web_pages_are_asked_for(env_with: EnvWith, url: str) -> None:
    with pytest.raises(ProbeError, match="it is no http or https address"):
        look_up(env_with(), [url])


def test_a_page_without_end_is_cut_off(
    env_with: EnvWith, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_MOST_BYTES", 1000)
    service.says("/long", b"x" * 5000)
    [page] = look_up(env_with(), [f"{service.url}/long"])
    assert (len(page.text), page.complete) == (1000, False)


def test_bytes_that_are_no_text_are_replaced(env_with: EnvWith, service: Service) -> None:
    service.says("/bytes", b"a\xff", Content_Type="text/html; charset=no-such")
    service.says("/latin", "é".encode("latin-1"), Content_Type="text/html; charset=windows-1252")
    found = look_up(env_with(), [f"{service.url}/bytes", f"{service.url}/latin"])
    assert [page.text for page in found] == ["a\ufffd", "é"]


def test_whoever_does_not_answer_is_named_and_nothing_is_told_of_the_rest(
    env_with: EnvWith, service: Service
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(ProbeError, match=f"{closed}: .*refused"):
            look_up(env_with(), [f"{service.url}/bridge", closed])
        with pytest.raises(ProbeError, match=f"2 addresses: {closed}: .*; 'tel:1': it is no http"):
            look_up(env_with(), [closed, "tel:1"])


def test_no_time_is_could_not_look(env_with: EnvWith, service: Service) -> None:
    env = env_with(time_limits={"probe": -1.0})
    with pytest.raises(ProbeError, match="it was not there in time"):
        look_up(env, [f"{service.url}/bridge"])


def test_the_products_names_are_asked_at_the_edge(env_with: EnvWith, service: Service) -> None:
    port = urlsplit(service.url).port
    node = {"name": "edge", "host": "127.0.0.1", "port": 1, "http_port": port}
    env = env_with(edge={"hosts": ["www.shop.test"], "nodes": [node]})
    wanted = ["http://www.shop.test/bridge", f"http://www.shop.test:{port}/bridge"]
    assert [page.is_there for page in look_up(env, wanted)] == [True, True]
    assert {h["Host"] for h in service.headers} == {"www.shop.test", f"www.shop.test:{port}"}


def test_a_rehearsal_asks_nobody_outside_this_machine(env_with: EnvWith, service: Service) -> None:
    env = env_with(kind="rehearsal")
    assert look_up(env, [f"{service.url}/bridge"])[0].is_there
    service.says("/out", b"", status=302, Location="http://www.example.com/")
    for url in ("http://www.example.com/", "http://192.0.2.1/", f"{service.url}/out"):
        with pytest.raises(ProbeError, match="a rehearsal asks nobody outside this machine"):
            look_up(env, [url])


def test_addresses_are_shown_without_what_may_be_secret(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError) as error:
        look_up(env_with(kind="rehearsal"), ["https://me:kestrel@www.example.com/?key=kestrel"])
    assert "kestrel" not in str(error.value)


def test_no_address_is_no_page(env_with: EnvWith) -> None:
    assert look_up(env_with(), []) == ()


def test_a_link_has_the_parameters_of_where_its_redirects_end() -> None:
    link = Link("https://x.example/a?utm_campaign=x", 200, "https://x.example/b?utm_source=mail&z=")
    assert link.has_parameter("utm_source")
    assert not link.has_parameter("utm_campaign")
    assert not link.has_parameter("z"), "it has no value"
