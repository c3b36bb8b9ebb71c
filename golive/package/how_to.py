"""HOW-TO-VERIFY.txt: how to check a package with nothing but a shell."""

from __future__ import annotations

import re

from golive.answer import Answer

_TEXT = r"""@BAND@How to check this package without golive
========================================

It is about @CANDIDATE@ on @TITLE@, as of @AS_OF@ UTC.
You need unzip, sha256sum and ssh-keygen (OpenSSH 8.9 or newer). Each line that is indented is a
command for a POSIX shell; none of them prints a complaint when all is well.

1. Unpack it into an empty folder, with PACKAGE the path of the zip, and go there:

    export LC_ALL=C TZ=UTC
    unzip -q "$PACKAGE" -d package && cd package

2. Every file is as it was listed:

    sha256sum --check --strict --quiet SHA256SUMS

3. There is no other file but the list and its signatures, and none with a name to hide behind:

    sed 's/^[0-9a-f]*  //' SHA256SUMS > ../listed.txt
    find . ! -type d | cut -c3- | sort > ../there.txt
    grep -vxE 'SHA256SUMS(\.[A-Za-z0-9_-]+\.sig)?' ../there.txt | diff ../listed.txt -
    if find . ! -name . \( -name '.*' -o -name '*[!A-Za-z0-9._ +@-]*' \) | grep .; then exit 1; fi

4. People have signed the list. allowed_signers has their public keys as the package knows them:
compare it with the keys that you know, or put a list of your own in its place.

    ls SHA256SUMS.*.sig
    for sig in SHA256SUMS.*.sig; do
      who=${sig#SHA256SUMS.}; who=${who%.sig}
      ssh-keygen -Y verify -f allowed_signers -I "$who" -n golive-package \
        -O verify-time=@MADE_AT@ -s "$sig" < SHA256SUMS || exit 1
    done

5. Each run is as it was when it ended, and goes by its own name@SIGNED@:

    for run in runs/*; do
      [ -e "$run" ] || continue
      grep -qxF " \"id\": \"${run##*/}\"," "$run/run.json" || { echo "$run: altered"; exit 1; }
      end=$run/end.json
      [ -e "$end" ] || { echo "$run did not end: nothing green of it counts"; continue; }
      value() { sed -nE "s/^ \"$1\": \"([A-Za-z0-9:._-]*)\",?\$/\1/p" "$end"; }
      [ "$(grep -cE '"(ended_at|digest|by)":' "$end")" -eq 3 ] || { echo "$end: altered"; exit 1; }
      digest=$(cd "$run" && cat run.json facts.jsonl verdicts.jsonl | sha256sum | cut -c1-64)
      [ "$(value digest)" = "$digest" ] || { echo "$run was altered"; exit 1; }
@RUN_SIGNED@    done

6. Each statement is signed by who it says, and its evidence is what it names. One that is not
valid is reported as such in index.html, with the reason, and does not count. Who said it stands right
after "about" and "before" in the first line, which is all of it.

    for said in statements/*; do
      [ -e "$said" ] || continue
      body=$said/statement.json
      by=$(sed -nE '1s/^\{"about":"[^"\\]*","before":\{[^{}\\]*\},"by":"([A-Za-z0-9_-]+)",.*/\1/p' "$body")
      made=$(sed -nE '1s/.*"made_at":"([0-9T:-]+)(\.[0-9]+)?Z".*/\1/p' "$body" | tr -d 'T:-')
      named=$(sed -nE '1s/.*"evidence":\[(.*)\],"expires_at":.*/\1/p' "$body")
      own=$(grep -oE '"(by|made_at|evidence|expires_at)":' "$body" | wc -l)
      if [ "$(wc -l < "$body")" -ne 1 ] || [ "$own" -ne 4 ]
      then echo "$said: not valid: was not written by golive"; by=
      fi
      [ "$(sha256sum < "$body" | cut -c1-12)" = "${said##*-}" ] \
        || { echo "$said: was altered"; exit 1; }
      ssh-keygen -Y verify -f allowed_signers -I "$by" -n golive-statement \
        -O verify-time="$made" -s "$body.sig" < "$body" || echo "$said: not valid"
      for file in "$said"/*; do
        case ${file##*/} in
          statement.json | statement.json.sig | evidence) ;;
          *) echo "$file: is no part of a statement"; exit 1 ;;
        esac
      done
      for file in "$said"/evidence/*; do
        [ -e "$file" ] || continue
        name=${file##*/}
        echo "${name%%-*}  $file" | sha256sum --check --quiet || echo "$file: was altered"
        case $named in
          *"\"sha256\":\"${name%%-*}\""*) ;;
          *) echo "$file: not named" ;;
        esac
      done
    done

7. Documents that people have signed, NAME.html with NAME.html.sig: by the first signer that the
document names at its end, NAME.html.ROLE.sig by another's role. WHO is the person's name in
allowed_signers:

    # ssh-keygen -Y verify -f allowed_signers -I WHO -n golive-document -s NAME.html.sig < NAME.html

index.html shows the answer with every item; answer.json is the same for machines. Whether the
answer follows from the runs and statements is what `golive verify` shows beyond this.
"""  # noqa: E501 - a command of the shell is one line
_RUN_SIGNED = r"""      by=$(value by)
      made=$(value ended_at | cut -d. -f1 | tr -d 'T:Z-')
      ssh-keygen -Y verify -f allowed_signers -I "$by" -n golive-run \
        -O verify-time="$made" -s "$end.sig" < "$end" || { echo "$run: not signed"; exit 1; }
"""


def how_to(answer: Answer) -> str:
    """The text for the package of an answer."""
    rehearsed = answer.is_rehearsal
    words = {
        "BAND": "REHEARSAL: this package decides nothing.\n\n" if rehearsed else "",
        "SIGNED": "" if rehearsed else ".\nWho made it has signed its end",
        "RUN_SIGNED": "" if rehearsed else _RUN_SIGNED,
        "CANDIDATE": _line(answer.candidate),
        "TITLE": _line(answer.environment_title),
        "AS_OF": f"{answer.made_at:%Y-%m-%d %H:%M:%S}",
        "MADE_AT": f"{answer.made_at:%Y%m%d%H%M%S}",
    }
    return re.sub(r"@([A-Z_]+)@", lambda m: words[m[1]], _TEXT)


def _line(text: str) -> str:
    return re.sub(r"[^\w .,:()+-]", "_", text)[:120]
