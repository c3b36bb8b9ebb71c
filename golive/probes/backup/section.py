"""The backups and the commands that work with them."""

from __future__ import annotations

import msgspec

from golive.sections import Section, needed


class Bucket(Section, frozen=True, kw_only=True):
    """An S3 bucket and its region."""

    name: str
    region: str
    kms_key: str = ""
    """The key that encrypts what is in it: id, ARN or alias, of its own region."""


class Backups(Section, frozen=True, kw_only=True):
    """Backups and the commands that work with them.

    For the drills ``postgres.user`` may execute pg_wal_replay_pause and pg_wal_replay_resume (on a
    standby), pg_switch_wal, and amcheck's functions, and may make a table for marker rows.

    A command is an argument list; ``{python}`` and the placeholders named here are filled in.
    It ends with status 0 when it did what it says, and prints one JSON document on stdout.
    """

    list_command: list[str] = needed()
    """Prints the full backups: a list of id, path, started_at, finished_at, start_lsn, stop_lsn,
    system_identifier (as text), size_bytes."""
    verify_command: list[str] = msgspec.field(default_factory=lambda: ["pg_verifybackup", "{path}"])
    """Checks the files of the backup {id} at {path} against its manifest; prints anything."""
    archive: str = needed()
    """The WAL archive, as a folder that the suite can read; {wal} files, compressed or not."""
    restore_command: list[str] = needed()
    """Restores the backup {id} and the WAL after it to a new, empty instance {name} of its own,
    with recovery_target_{kind} = {target} ({kind} is lsn or time), not inclusive, promoted.
    Prints host and port."""
    discard_command: list[str] = needed()
    """Ends and removes the instance {name} and what was served on it; no error when there is none.
    Prints anything."""
    serve_command: list[str] = needed()
    """Starts the application's {version} on the instance {name}, sharing no cache with a live one.
    Prints url."""
    decrypt_command: list[str] = []
    """Decrypts what the bucket {bucket} in {region} has as {key}: the raw content comes on stdin,
    its metadata as {metadata} (JSON), the plain content goes to stdout. It has access to keys by
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY alone, without which it fails. Of objects above
    256 MiB it is given the beginning, and may fail at its end."""
    known_row: str = needed()
    """SQL: the newest row older than %(before)s of a table that is always written to, as key."""
    known_text: str = needed()
    """SQL: a few texts older than %(before)s, of 8 characters or more, that would be in the bytes
    of a backup that anybody can read. Reports never show them."""
    retention_days: float = needed()
    """For how long backups are kept."""
    full_key: str = "full/{id}.tar"
    """The object of a full backup in the buckets."""
    wal_prefix: str = "wal/"
    """What the objects of archived WAL segments begin with."""
    source: Bucket = needed()
    copy: Bucket = needed()
