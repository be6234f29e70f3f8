"""The joiner's SQLite file: its tables, and how the file of an earlier joiner becomes one of this."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT: Final = 1
_TABLES: Final = """
-- `mirror` is the version that answered to nobody, and empty for an answer that a client got.
CREATE TABLE IF NOT EXISTS prediction (
    key BLOB, rollout TEXT, mirror TEXT, version TEXT, at_s REAL, predicted TEXT, confidence REAL, slices TEXT,
    done INTEGER DEFAULT 0, PRIMARY KEY (key, rollout, mirror)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered ON prediction (at_s) WHERE done = 0 AND mirror = '';
CREATE INDEX IF NOT EXISTS mirrored ON prediction (at_s) WHERE done = 0 AND mirror != '';
CREATE INDEX IF NOT EXISTS past ON prediction (at_s) WHERE done = 1;
CREATE TABLE IF NOT EXISTS label (key BLOB PRIMARY KEY, actual TEXT, at_s REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS label_by_age ON label (at_s);
CREATE TABLE IF NOT EXISTS counts (rollout TEXT, version TEXT, layout TEXT, cells BLOB, PRIMARY KEY (rollout, version));
-- When a version was heard of last.
CREATE TABLE IF NOT EXISTS version (
    rollout TEXT, version TEXT, at_s REAL, PRIMARY KEY (rollout, version)
) WITHOUT ROWID;
"""
# The first format told predictions apart by key and `shadow` alone, and took times in milliseconds for years to come.
_RENAME_FIRST: Final = """
DROP INDEX by_age; DROP INDEX by_version; ALTER TABLE prediction RENAME TO first;
"""
_COPY_FIRST: Final = """
INSERT INTO prediction
    SELECT key, rollout, CASE shadow WHEN 1 THEN version ELSE '' END, version, at_s, predicted, confidence, slices, done
    FROM first WHERE at_s <= strftime('%s', 'now') + 86400;
UPDATE label SET at_s = strftime('%s', 'now') WHERE at_s > strftime('%s', 'now') + 86400;
DROP TABLE first;
INSERT INTO version SELECT rollout, version, max(at_s) FROM prediction GROUP BY rollout, version;
INSERT OR IGNORE INTO version SELECT rollout, version, strftime('%s', 'now') FROM counts;
"""


def opened(path: Path | str) -> sqlite3.Connection:
    """Open a file, made anew or brought to this format if need be.

    Parameters
    ----------
    path
        SQLite file; ":memory:" forgets everything at the end.

    Raises
    ------
    ValueError
        A newer joiner has written it.
    sqlite3.Error
        It can't be opened, or is no such file.
    """
    database = sqlite3.connect(path, check_same_thread=False)
    (found,) = database.execute("PRAGMA user_version").fetchone()
    if found > _FORMAT:
        raise ValueError(f"{path} has format {found}, of a newer joiner; this one knows formats up to {_FORMAT}")
    is_first = not found and database.execute("SELECT 1 FROM sqlite_master WHERE name = 'prediction'").fetchone()
    steps = (_RENAME_FIRST, _TABLES, _COPY_FIRST) if is_first else (_TABLES,)
    database.executescript(f"BEGIN; {''.join(steps)} PRAGMA user_version = {_FORMAT}; COMMIT;")
    return database
