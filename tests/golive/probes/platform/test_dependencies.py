"""Lock files of every kind, advisories, scanners' answers, and what is installed."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform import advisories, locks, waivers
from golive.probes.platform.dependencies import DependencyAudit, dependency_audit
from golive.probes.platform.locks import NPM, PYPI, Package
from golive.verdicts import ProbeError, Unseen

HASH = "--hash=sha256:" + "ab" * 32


def written(folder: Path, name: str, text: str | Mapping[str, Any]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def packages(folder: Path, name: str, text: str | Mapping[str, Any]) -> list[Package]:
    return list(locks.read(written(folder, name, text)).packages)


# -- lock files ------------------------------------------------------------------------------------


def test_requirements_with_hashes_markers_and_includes(tmp_path: Path) -> None:
    written(tmp_path, "more.txt", f"click==8.1.7 {HASH}\n-r requirements.txt\n")
    text = f"""# comment
--index-url https://pypi.example/simple
-r more.txt
Jinja2[i18n]==3.1.4 \\
    {HASH} \\
    {HASH}
    # via starlette
colorama==0.4.6 ; sys_platform == "win32" {HASH}
loose>=1.0
wheel-at @ https://files.example/x.whl#sha256={"ab" * 32}
-e .
"""
    found = packages(tmp_path, "requirements.txt", text)
    assert [(p.name, p.version, p.is_hashed) for p in found] == [
        ("click", "8.1.7", True),
        ("Jinja2", "3.1.4", True),
        ("colorama", "0.4.6", True),
        ("loose", "", False),
        ("wheel-at", "at a fixed address", True),
        ("-e", "", False),
    ]
    assert [p.is_conditional for p in found[:3]] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "text", "ecosystem", "expected"),
    [
        (
            "poetry.lock",
            (
                '[[package]]\nname = "a"\nversion = "1"\nfiles = [{hash = "sha256:0"}]\n'
                '[[package]]\nname = "b"\nversion = "2"\ngroups = ["dev"]\nfiles = []\n'
            ),
            PYPI,
            [("a", "1", True, False), ("b", "2", False, True)],
        ),
        (
            "poetry.lock",
            (
                '[[package]]\nname = "a"\nversion = "1"\ncategory = "main"\n'
                '[metadata.files]\na = [{file = "a", hash = "sha256:0"}]\n'
            ),
            PYPI,
            [("a", "1", True, False)],
        ),
        (
            "uv.lock",
            (
                'version = 1\n[[package]]\nname = "own"\nversion = "1"\nsource = {editable = "."}\n'
                '[[package]]\nname = "a"\nversion = "1"\nsource = {registry = "x"}\n'
                'sdist = {url = "u", hash = "sha256:0"}\n'
            ),
            PYPI,
            [("a", "1", True, True)],
        ),
        (
            "pylock.toml",
            (
                'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n'
                'wheels = [{name = "a", hashes = {sha256 = "0"}}]\n'
            ),
            PYPI,
            [("a", "1", True, False)],
        ),
        (
            "Pipfile.lock",
            {"default": {"a": {"version": "==1", "hashes": ["x"]}}, "develop": {"b": {"git": "x"}}},
            PYPI,
            [("a", "1", True, False), ("b", "", False, True)],
        ),
        (
            "package-lock.json",
            {
                "packages": {
                    "": {"name": "own"},
                    "node_modules/@x/a": {"version": "1.0.0", "integrity": "sha512-x"},
                    "node_modules/@x/a/node_modules/b": {"version": "2.0.0", "dev": True},
                    "packages/own": {"version": "1.0.0"},
                    "node_modules/own": {"link": True},
                }
            },
            NPM,
            [("@x/a", "1.0.0", True, False), ("b", "2.0.0", False, True)],
        ),
        (
            "package-lock.json",
            {"dependencies": {"a": {"version": "1", "dependencies": {"b": {"version": "2"}}}}},
            NPM,
            [("a", "1", False, False), ("b", "2", False, False)],
        ),
        (
            "yarn.lock",
            (
                '# yarn lockfile v1\n\n"@x/a@^1.0.0", "@x/a@^1.1.0":\n  version "1.1.0"\n'
                "  integrity sha512-x\n\nb@~2:\n  version 2.0.1\n"
            ),
            NPM,
            [("@x/a", "1.1.0", True, True), ("b", "2.0.1", False, True)],
        ),
        (
            "pnpm-lock.yaml",
            (
                "lockfileVersion: '9.0'\npackages:\n  '@x/a@1.0.0(b@2.0.0)':\n"
                "    resolution: {integrity: sha512-x}\n  /b/2.0.0:\n    dev: true\n"
            ),
            NPM,
            [("@x/a", "1.0.0", True, False), ("b", "2.0.0", False, True)],
        ),
    ],
)
def test_lock_files_of_every_kind(
    tmp_path: Path, name: str, text: str | Mapping[str, Any], ecosystem: str, expected: list[Any]
) -> None:
    lock = locks.read(written(tmp_path, name, text))
    assert lock.ecosystem == ecosystem
    found = [(p.name, p.version, p.is_hashed, p.is_optional) for p in lock.packages]
    assert found == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", "{"),
        ("package-lock.json", "[]"),
        ("poetry.lock", "no = ["),
        ("yarn.lock", "__metadata:\n  version: 8\n"),
        ("Gemfile", "gem"),
    ],
)
def test_what_is_no_lock_file_cannot_be_looked_at(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ProbeError, match=name):
        locks.read(written(tmp_path, name, text))
    with pytest.raises(ProbeError):
        locks.read(tmp_path / "nowhere.lock")


# -- advisories ------------------------------------------------------------------------------------


def advisory(ident: str, name: str, *events: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Of PyPI, unless it says otherwise."""
    ecosystem = more.pop("ecosystem", PYPI)
    ranges = [{"type": "ECOSYSTEM", "events": [{k: v} for k, v in events]}]
    affected = {"package": {"name": name, "ecosystem": ecosystem}, "ranges": ranges}
    affected["versions"] = more.pop("versions", [])
    return {
        "id": ident,
        "modified": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "affected": [affected],
        "database_specific": {"severity": "HIGH"},
    } | more


def snapshot(folder: Path, *found: Mapping[str, Any]) -> Path:
    for n, one in enumerate(found):
        written(folder, f"advisories/{n}.json", one)
    return folder / "advisories"


@pytest.mark.parametrize(
    ("version", "affected"),
    [("1.4.9", False), ("1.5", True), ("2.0rc1", True), ("2.0", False), ("3.0", True)],
)
def test_a_version_of_pypi_within_ranges(tmp_path: Path, version: str, affected: bool) -> None:
    events = (("introduced", "1.5.0"), ("fixed", "2.0"), ("introduced", "2.5"))
    path = snapshot(tmp_path, advisory("X-1", "Some.Thing", *events))
    found = advisories.load(path, PYPI).of("some_thing", version)
    assert bool(found) == affected


@pytest.mark.parametrize(
    ("version", "affected"),
    [("0.2.3", True), ("0.2.4", False), ("1.2.6-beta.2", True), ("1.2.6", True), ("1.2.7", False)],
)
def test_a_version_of_npm_and_the_last_affected(
    tmp_path: Path, version: str, affected: bool
) -> None:
    one = advisory("X-1", "minimist", ("introduced", "0"), ("fixed", "0.2.4"), ecosystem=NPM)
    more = [{"introduced": "1.0.0"}, {"last_affected": "1.2.6"}]
    one["affected"][0]["ranges"].append({"type": "SEMVER", "events": more})
    assert bool(advisories.load(snapshot(tmp_path, one), NPM).of("minimist", version)) == affected


def test_severity_comes_from_the_publisher_else_the_vector_else_an_alias(tmp_path: Path) -> None:
    everything = ("introduced", "0")
    none: dict[str, Any] = {"database_specific": None}
    vector = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    four = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    path = snapshot(
        tmp_path,
        advisory("A", "a", everything, database_specific={"severity": "MODERATE"}),
        advisory("B", "b", everything, severity=vector, **none),
        advisory("C", "c", everything, severity=[{"type": "CVSS_V4", "score": four}], **none),
        advisory("D", "d", everything, aliases=["B"], **none),
        advisory("E", "e", everything, severity=[{"type": "CVSS_V3", "score": "nonsense"}], **none),
        advisory("MAL-1", "f", everything, **none),
        advisory("G", "g", everything, withdrawn="2026-01-01T00:00:00Z"),
        advisory("H", "h", versions=["1"]),
    )
    loaded = advisories.load(path, PYPI)
    rated = {name: [a.severity for a in loaded.of(name, "1")] for name in "abcdefgh"}
    assert rated == {
        "a": ["moderate"],
        "b": ["critical"],
        "c": ["critical"],
        "d": ["critical"],
        "e": ["unrated"],
        "f": ["critical"],
        "g": [],
        "h": ["high"],
    }


def test_a_snapshot_is_as_old_as_its_newest_change_and_a_date_to_come_is_none(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    dates = [now - timedelta(days=3), now + timedelta(days=9)]
    entries = [
        advisory(str(n), "a", ("introduced", "0"), modified=at.isoformat())
        for n, at in enumerate(dates)
    ]
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for one in entries:
            file.writestr(f"{one['id']}.json", json.dumps(one))
    assert advisories.load(archive, PYPI).newest == dates[0]


def test_a_snapshot_of_another_ecosystem_or_of_nothing_cannot_be_looked_at(tmp_path: Path) -> None:
    path = snapshot(tmp_path, advisory("X", "a", ("introduced", "0")))
    with pytest.raises(ProbeError, match="it has no advisory of npm"):
        advisories.load(path, NPM)
    with pytest.raises(ProbeError, match="No such file"):
        advisories.load(tmp_path / "none.zip", PYPI)
    written(tmp_path, "advisories/broken.json", "{")
    with pytest.raises(ProbeError):
        advisories.load(path, PYPI)


# -- the audit -------------------------------------------------------------------------------------

CANARY = advisory("GHSA-8q59", "PyYAML", ("introduced", "0"), ("fixed", "5.4"))
LISTED = [{"name": "Jinja2", "version": "3.1.4"}, {"name": "pip", "version": "24.0"}]


@pytest.fixture
def audited(tmp_path: Path, env_with: Callable[..., Environment]) -> Callable[..., DependencyAudit]:
    """The audit of a lock file with jinja2 3.1.4, with some of its declaration otherwise."""
    written(tmp_path, "requirements.txt", f"jinja2==3.1.4 {HASH}\n")
    path = snapshot(tmp_path, CANARY)

    def look(*, accepted: str = "", listed: Any = LISTED, **lock: Any) -> DependencyAudit:
        told = written(tmp_path, "listed.json", json.dumps(listed))
        declared = {
            "name": "backend",
            "file": "requirements.txt",
            "advisories": str(path),
            "installed_command": ["cat", str(told)],
        } | lock
        dependencies: dict[str, Any] = {"locks": [declared]}
        if accepted:
            dependencies["waivers"] = str(written(tmp_path, "waivers.toml", accepted))
        instances = [{"name": n, "url": "http://127.0.0.1:1"} for n in ("app-1", "app-2")]
        env = env_with(
            deploy={"checkout": str(tmp_path)},
            dependencies=dependencies,
            application={"instances": instances},
        )
        return dependency_audit(env)

    return look


def told(value: object) -> str:
    assert isinstance(value, Unseen)
    return str(value.error)


def test_all_in_order(audited: Callable[..., DependencyAudit]) -> None:
    found = audited()
    assert found.packages == {"backend (requirements.txt)": 1}
    assert (found.not_pinned, found.without_hash, found.grave, found.blind) == ([], [], [], [])
    assert [i.instance for i in found.installations] == ["app-1", "app-2"]
    assert found.differing == []
    ages = found.advisories_age_h
    assert isinstance(ages, dict)
    assert 0 <= ages["backend"] < 1


def test_a_finding_counts_unless_it_is_waived_and_again_when_the_waiver_has_ended(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    bad = advisory("X-9", "jinja2", ("introduced", "3"), aliases=["CVE-2026-1"])
    path = snapshot(tmp_path / "bad", CANARY, bad)
    known = {"advisories": str(path)}
    assert audited(**known).grave == ["jinja2 3.1.4 in backend: high X-9"]
    waiver = '[[waiver]]\nid = "CVE-2026-1"\nreason = "r"\nby = "b"\nexpires = {}\n'
    assert audited(accepted=waiver.format("2099-01-01"), **known).grave == []
    other = waiver.format("2099-01-01") + 'package = "mako"\n'
    assert audited(accepted=other, **known).grave == ["jinja2 3.1.4 in backend: high X-9"]
    ended = audited(accepted=waiver.format("2020-01-01"), **known).grave
    assert ended == ["jinja2 3.1.4 in backend: high X-9 (its waiver holds no more)"]
    with pytest.raises(ProbeError, match=r"waivers\.toml"):
        audited(accepted='[[waiver]]\nid = "X-9"\n', **known)


def test_a_finding_without_severity_is_neither_green_nor_red(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    bad = advisory("X-9", "jinja2", ("introduced", "3"), database_specific=None)
    found = audited(advisories=str(snapshot(tmp_path / "bad", CANARY, bad)))
    assert "unrated X-9" in told(found.grave)


def test_an_audit_that_knows_no_canary_is_blind(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    other = advisory("X", "other", ("introduced", "0"))
    path = str(snapshot(tmp_path / "blind", other))
    assert audited(advisories=path).blind == ["backend"]
    assert audited(advisories=path, canary="other==1").blind == []


def test_without_a_scanner_findings_are_unseen_and_the_rest_is_judged(
    audited: Callable[..., DependencyAudit],
) -> None:
    found = audited(advisories="")
    for unseen in (found.grave, found.blind, found.advisories_age_h):
        assert "no scanner; next: declare advisories or audit_command" in told(unseen)
    assert found.differing == []
    gone = audited(advisories="gone")
    assert "gone" in told(gone.grave)


@pytest.mark.parametrize(
    ("listed", "differences"),
    [
        (
            [{"name": "jinja2", "version": "3.1.3"}, {"name": "left_pad", "version": "1"}],
            ["jinja2 3.1.3 instead of 3.1.4", "left-pad 1 is not locked"],
        ),
        ([{"name": "pip", "version": "1"}], ["jinja2 3.1.4 is missing"]),
        ({"installed": [{"metadata": {"name": "Jinja2", "version": "3.1.4"}}]}, []),
    ],
)
def test_what_is_installed_otherwise(
    audited: Callable[..., DependencyAudit], listed: Any, differences: list[str]
) -> None:
    found = audited(listed=listed)
    assert [list(i.differences) for i in found.installations] == [differences] * 2


@pytest.mark.parametrize(
    ("listed", "cause"),
    [([], "it lists no package"), ({"a": 1}, "none of pip list"), ([{"nom": 1}], "none of pip")],
)
def test_a_listing_that_tells_nothing_is_unseen(
    audited: Callable[..., DependencyAudit], listed: Any, cause: str
) -> None:
    assert cause in told(audited(listed=listed).differing)
    assert "no command is declared" in told(audited(installed_command=[]).differing)
    assert "exit status 3" in told(audited(installed_command=["sh", "-c", "exit 3"]).differing)
    assert audited(is_installed=False).installations == []


def test_markers_decide_where_the_instance_tells_its_environment(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    text = f'a==1 ; python_version < "3.9" {HASH}\nb==1 ; python_version >= "3.9" {HASH}\n'
    written(tmp_path, "marked.txt", text)
    other = {"metadata": {"name": "pip", "version": "1"}}
    environment = {"python_version": "3.12"}
    found = audited(file="marked.txt", listed={"installed": [other], "environment": environment})
    assert found.installations[0].differences == ("b 1 is missing",)
    assert audited(file="marked.txt").installations[0].differences == (
        "jinja2 3.1.4 is not locked",
    )


def test_an_npm_tree_of_an_instance(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    entries = {"node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "2.0.0"}}
    written(tmp_path, "package-lock.json", {"packages": entries})
    tree = {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.1.0"}}}}
    found = audited(file="package-lock.json", listed={"dependencies": tree})
    assert found.installations[0].differences == ("b 2.1.0 instead of 2.0.0",)


# -- scanners that are run -------------------------------------------------------------------------


def printing(folder: Path, document: Any, status: int = 0) -> list[str]:
    """A command that answers so for the lock file, and with a finding for the canary's."""
    finding = {"name": "pyyaml", "version": "5.3.1", "vulns": [{"id": "X", "aliases": []}]}
    reported = written(folder, "said.json", json.dumps(document))
    code = (
        "import json, sys; lock = sys.argv[1]\n"
        f"if 'canary' in lock: print(json.dumps({{'dependencies': [{finding!r}]}})); sys.exit(1)\n"
        f"print(open({str(reported)!r}).read()); sys.exit({status})"
    )
    return [sys.executable, str(written(folder, "scanner.py", code)), "{lock}"]


def pip_audit(*dependencies: Mapping[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(dependencies), "fixes": []}


def test_pip_audit_is_read_with_severities_from_the_snapshot(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    written(tmp_path, "canary.txt", f"pyyaml==5.3.1 {HASH}\n")
    vulnerable = {
        "name": "jinja2",
        "version": "3.1.4",
        "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.1.5"]}],
    }
    command = printing(tmp_path, pip_audit(vulnerable), status=1)
    how = {"audit_command": command, "canary_lock": "canary.txt"}
    assert "unrated PYSEC-1" in told(audited(advisories="", **how).grave)
    known = advisory("GHSA-1", "another", ("introduced", "0"), aliases=["CVE-1"])
    path = str(snapshot(tmp_path / "rated", CANARY, known))
    assert audited(advisories=path, **how).grave == ["jinja2 3.1.4 in backend: high PYSEC-1"]
    fine = printing(tmp_path, pip_audit({"name": "jinja2", "version": "3.1.4", "vulns": []}))
    found = audited(advisories="", **(how | {"audit_command": fine}))
    assert (found.grave, found.blind, found.advisories_age_h) == ([], [], {"backend": 0.0})
    assert "no canary_lock" in told(audited(audit_command=fine).blind)


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (pip_audit({"name": "jinja2", "skip_reason": "not found on PyPI"}), "skipped jinja2"),
        (pip_audit(), "it skipped jinja2"),
        ({"error": "no network"}, "not the JSON that is expected"),
    ],
)
def test_a_scanner_that_audited_nothing_leaves_it_unseen(
    audited: Callable[..., DependencyAudit], tmp_path: Path, document: Any, cause: str
) -> None:
    found = audited(audit_command=printing(tmp_path, document))
    assert cause in told(found.grave)
    assert found.locks[0].findings == ()


def test_a_finding_of_the_snapshot_stands_though_the_service_is_out_of_reach(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    bad = advisory("X-9", "jinja2", ("introduced", "3"))
    path = str(snapshot(tmp_path / "bad", CANARY, bad))
    found = audited(advisories=path, audit_command=["sh", "-c", "echo no route >&2; exit 1"])
    assert found.grave == ["jinja2 3.1.4 in backend: high X-9"]
    assert "no route" in told(found.locks[0].not_audited)


def npm_audit(total: int, **vulnerabilities: Any) -> dict[str, Any]:
    return {
        "auditReportVersion": 2,
        "vulnerabilities": vulnerabilities,
        "metadata": {"vulnerabilities": {}, "dependencies": {"prod": total, "total": total}},
    }


def test_npm_audit_is_read_and_nothing_audited_is_unseen(
    audited: Callable[..., DependencyAudit], tmp_path: Path
) -> None:
    entries = {f"node_modules/{n}": {"version": "1.0.0"} for n in ("a", "b")}
    written(tmp_path, "package-lock.json", {"packages": entries})
    url = "https://github.com/advisories/GHSA-aaaa"
    via = {"source": 1, "url": url, "severity": "critical"}
    vulnerable = {
        "a": {"name": "a", "severity": "critical", "via": [via], "range": "<2"},
        "b": {"name": "b", "severity": "critical", "via": ["a"], "range": "<2"},
    }

    def grave(document: Any) -> object:
        command = printing(tmp_path, document, status=1)
        return audited(file="package-lock.json", advisories="", audit_command=command).grave

    assert grave(npm_audit(2, **vulnerable)) == ["a 1.0.0 in backend: critical GHSA-aaaa"]
    assert "it skipped 2 of 2 packages" in told(grave(npm_audit(0)))
    assert "audit_command" in told(grave({"error": {"code": "ENOLOCK"}}))


def test_waivers_of_no_file_are_none() -> None:
    assert waivers.read(None).all == ()
