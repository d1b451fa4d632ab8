"""The tables, as migrations: each runs once, in order, those that lack in one transaction."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x54474D4B
"""Written into the file's header ("TGMK"), so that another program's database is recognised."""

migrations = Migrations("tagmask")


def _run(database: Database, statements: str) -> None:
    """Runs statements parted by blank lines; `executescript` would commit half-way."""
    for statement in statements.strip().split("\n\n"):
        database.execute(statement)


@migrations()
def m001_tables(database: Database) -> None:
    """Images, their tags, runs, candidates, decisions, snapshots, jobs."""
    _run(
        database,
        """
CREATE TABLE classes (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 254),
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    colour TEXT NOT NULL
)

CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    source TEXT NOT NULL,
    truth_digest TEXT,
    added REAL NOT NULL
)

CREATE TABLE image_tags (
    image_id INTEGER NOT NULL REFERENCES images (id),
    class_id INTEGER NOT NULL REFERENCES classes (id),
    PRIMARY KEY (image_id, class_id)
) WITHOUT ROWID

CREATE INDEX image_tags_by_class ON image_tags (class_id, image_id)

CREATE TABLE tag_changes (
    id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES images (id),
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at REAL NOT NULL
)

CREATE INDEX tag_changes_by_image ON tag_changes (image_id, id)

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    key TEXT UNIQUE,
    recipe TEXT NOT NULL,
    arguments TEXT NOT NULL,
    snapshot TEXT REFERENCES snapshots (digest),
    priority INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'running', 'stopping', 'done', 'failed', 'cancelled', 'lost')),
    submitted_by TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    supervisor TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    started_at REAL,
    finished_at REAL,
    cancel_requested_at REAL,
    run_id INTEGER REFERENCES runs (id),
    run_folder TEXT,
    pid INTEGER,
    process_started REAL,
    heartbeat_at REAL,
    events_offset INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER,
    error TEXT,
    progress TEXT NOT NULL DEFAULT '{}'
)

CREATE INDEX jobs_waiting ON jobs (state, priority, id)

CREATE TABLE job_events (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) WITHOUT ROWID

CREATE INDEX job_events_by_kind ON job_events (job_id, kind, seq)

CREATE TABLE supervisors (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL,
    beat INTEGER NOT NULL
) WITHOUT ROWID

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    recipe TEXT NOT NULL,
    folder TEXT NOT NULL,
    config TEXT NOT NULL,
    job_id INTEGER REFERENCES jobs (id),
    created REAL NOT NULL,
    finished REAL,
    metrics TEXT NOT NULL DEFAULT '{}',
    weights_path TEXT
)

CREATE INDEX runs_by_job ON runs (job_id)

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    run_id INTEGER REFERENCES runs (id),
    image_id INTEGER NOT NULL REFERENCES images (id),
    stage TEXT NOT NULL,
    tag INTEGER REFERENCES classes (id),
    digest TEXT NOT NULL,
    numbers TEXT NOT NULL DEFAULT '{}',
    added REAL NOT NULL
)

CREATE UNIQUE INDEX artifacts_once
    ON artifacts (image_id, ifnull(run_id, 0), stage, ifnull(tag, 0), digest)

CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES images (id),
    run_id INTEGER REFERENCES runs (id),
    method TEXT NOT NULL,
    digest TEXT NOT NULL,
    scores TEXT NOT NULL DEFAULT '{}',
    score REAL,
    parent_id INTEGER REFERENCES candidates (id),
    shuffle INTEGER NOT NULL,
    added REAL NOT NULL,
    verdict TEXT NOT NULL DEFAULT 'undecided',
    decision_id INTEGER,
    UNIQUE (image_id, digest, method)
)

CREATE INDEX candidates_by_verdict_score ON candidates (verdict, ifnull(score, 9e99), id)

CREATE INDEX candidates_by_verdict_best ON candidates (verdict, ifnull(-score, 9e99), id)

CREATE INDEX candidates_by_verdict ON candidates (verdict, id)

CREATE INDEX candidates_by_score ON candidates (ifnull(score, 9e99), id)

CREATE INDEX candidates_by_image ON candidates (image_id, verdict)

CREATE INDEX candidates_by_run ON candidates (run_id, verdict)

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action_id TEXT NOT NULL UNIQUE,
    candidate_id INTEGER NOT NULL REFERENCES candidates (id),
    mask_digest TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'reject', 'fix', 'skip', 'undecided')),
    reason TEXT NOT NULL DEFAULT '',
    reviewer TEXT NOT NULL,
    session TEXT NOT NULL,
    client_time REAL,
    server_time REAL NOT NULL,
    supersedes INTEGER REFERENCES decisions (id),
    undoes INTEGER UNIQUE REFERENCES decisions (id),
    restores INTEGER REFERENCES decisions (id)
)

CREATE INDEX decisions_by_candidate ON decisions (candidate_id, id)

CREATE INDEX decisions_by_reviewer ON decisions (reviewer, id) WHERE undoes IS NULL

CREATE VIEW current_decisions AS
    SELECT decisions.* FROM decisions
    WHERE id = (SELECT max(id) FROM decisions AS later
                WHERE later.candidate_id = decisions.candidate_id)

CREATE TRIGGER decisions_reach_the_queue AFTER INSERT ON decisions BEGIN
    UPDATE candidates SET verdict = NEW.verdict, decision_id = NEW.id WHERE id = NEW.candidate_id;
END

CREATE TRIGGER decisions_are_never_changed BEFORE UPDATE ON decisions BEGIN
    SELECT RAISE(ABORT, 'decisions are never changed, only added to');
END

CREATE TRIGGER decisions_are_never_deleted BEFORE DELETE ON decisions BEGIN
    SELECT RAISE(ABORT, 'decisions are never deleted, only added to');
END

CREATE TABLE snapshots (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    frozen_by TEXT NOT NULL,
    frozen_at REAL NOT NULL,
    count INTEGER NOT NULL
)

CREATE TRIGGER snapshots_are_never_changed BEFORE UPDATE ON snapshots BEGIN
    SELECT RAISE(ABORT, 'snapshots are never changed');
END
""",
    )


@migrations()
def m002_scores(database: Database) -> None:
    """A log of scores, and the current ones in columns: a page of the queue or a histogram of
    20,000 candidates reads an index instead of 20,000 pieces of JSON."""
    _run(
        database,
        """
CREATE TABLE candidate_scores (
    id INTEGER PRIMARY KEY,
    candidate_id INTEGER NOT NULL REFERENCES candidates (id),
    run_id INTEGER REFERENCES runs (id),
    scores TEXT NOT NULL,
    added REAL NOT NULL
)

CREATE UNIQUE INDEX candidate_scores_once
    ON candidate_scores (candidate_id, ifnull(run_id, 0), scores)

INSERT INTO candidate_scores (candidate_id, run_id, scores, added)
    SELECT id, run_id, scores, added FROM candidates WHERE scores != '{}'

CREATE TRIGGER candidate_scores_are_never_changed BEFORE UPDATE ON candidate_scores BEGIN
    SELECT RAISE(ABORT, 'scores are never changed, only added to');
END

CREATE TRIGGER candidate_scores_are_never_deleted BEFORE DELETE ON candidate_scores BEGIN
    SELECT RAISE(ABORT, 'scores are never deleted, only added to');
END

ALTER TABLE candidates ADD COLUMN ac REAL

ALTER TABLE candidates ADD COLUMN cd REAL

ALTER TABLE candidates ADD COLUMN sc REAL

ALTER TABLE candidates ADD COLUMN p REAL

ALTER TABLE candidates ADD COLUMN sf REAL

ALTER TABLE candidates ADD COLUMN gap REAL

UPDATE candidates SET ac = json_extract(scores, '$.AC'), cd = json_extract(scores, '$.CD'),
    sc = json_extract(scores, '$.SC'), p = json_extract(scores, '$.P'),
    sf = json_extract(scores, '$.SF'),
    gap = abs(json_extract(scores, '$.SC') - json_extract(scores, '$.SF'))
    WHERE scores != '{}'

CREATE INDEX candidates_by_verdict_ac ON candidates (verdict, ac IS NULL, ac, id)

CREATE INDEX candidates_by_verdict_cd ON candidates (verdict, cd IS NULL, cd, id)

CREATE INDEX candidates_by_verdict_p ON candidates (verdict, p IS NULL, p, id)

CREATE INDEX candidates_by_verdict_sc ON candidates (verdict, sc IS NULL, sc, id)

CREATE INDEX candidates_by_verdict_sf ON candidates (verdict, sf IS NULL, sf, id)

CREATE INDEX candidates_by_verdict_gap ON candidates (verdict, gap DESC, id)
""",
    )


@migrations()
def m003_review(database: Database) -> None:
    """What a review desk keeps: flags, batches, leases, assignments, users, transfers and more."""
    _run(
        database,
        """
ALTER TABLE images ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0

ALTER TABLE images ADD COLUMN phash TEXT

ALTER TABLE images ADD COLUMN loss REAL

ALTER TABLE images ADD COLUMN loss_run INTEGER REFERENCES runs (id)

CREATE INDEX images_by_loss ON images (loss DESC, id)

CREATE INDEX images_flagged ON images (id) WHERE flagged = 1

CREATE INDEX images_with_truth ON images (id) WHERE truth_digest IS NOT NULL

CREATE TABLE flags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action_id TEXT NOT NULL UNIQUE,
    image_id INTEGER NOT NULL REFERENCES images (id),
    flagged INTEGER NOT NULL CHECK (flagged IN (0, 1)),
    note TEXT NOT NULL DEFAULT '',
    reviewer TEXT NOT NULL,
    session TEXT NOT NULL,
    client_time REAL,
    server_time REAL NOT NULL
)

CREATE INDEX flags_by_image ON flags (image_id, id)

CREATE TRIGGER flags_reach_the_image AFTER INSERT ON flags BEGIN
    UPDATE images SET flagged = NEW.flagged WHERE id = NEW.image_id;
END

CREATE TRIGGER flags_are_never_changed BEFORE UPDATE ON flags BEGIN
    SELECT RAISE(ABORT, 'flags are never changed, only added to');
END

CREATE TRIGGER flags_are_never_deleted BEFORE DELETE ON flags BEGIN
    SELECT RAISE(ABORT, 'flags are never deleted, only added to');
END

ALTER TABLE decisions ADD COLUMN batch TEXT

CREATE INDEX decisions_by_batch ON decisions (batch, id) WHERE batch IS NOT NULL

DROP INDEX candidates_by_verdict

CREATE INDEX candidates_by_verdict ON candidates (verdict, id, shuffle, image_id)

CREATE TABLE unsettled (
    batch TEXT PRIMARY KEY,
    reached INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID

DROP TRIGGER decisions_reach_the_queue

CREATE TRIGGER decisions_reach_the_queue AFTER INSERT ON decisions
WHEN NEW.batch IS NULL OR NOT EXISTS (SELECT 1 FROM unsettled WHERE batch = NEW.batch) BEGIN
    UPDATE candidates SET verdict = NEW.verdict, decision_id = NEW.id WHERE id = NEW.candidate_id;
END

CREATE INDEX decisions_restoring ON decisions (restores, id) WHERE restores IS NOT NULL

ALTER TABLE tag_changes ADD COLUMN action_id TEXT

CREATE UNIQUE INDEX tag_changes_once ON tag_changes (action_id, image_id)
    WHERE action_id IS NOT NULL

ALTER TABLE tag_changes ADD COLUMN session TEXT NOT NULL DEFAULT ''

ALTER TABLE tag_changes ADD COLUMN client_time REAL

ALTER TABLE tag_changes ADD COLUMN judged TEXT NOT NULL DEFAULT '[]'

ALTER TABLE tag_changes ADD COLUMN undoes INTEGER REFERENCES tag_changes (id)

CREATE UNIQUE INDEX tag_changes_undone_once ON tag_changes (undoes) WHERE undoes IS NOT NULL

CREATE INDEX tag_changes_by_person ON tag_changes (changed_by, id) WHERE action_id IS NOT NULL

CREATE TRIGGER tag_changes_are_never_changed BEFORE UPDATE ON tag_changes BEGIN
    SELECT RAISE(ABORT, 'changes of tags are never changed, only added to');
END

CREATE TRIGGER tag_changes_are_never_deleted BEFORE DELETE ON tag_changes BEGIN
    SELECT RAISE(ABORT, 'changes of tags are never deleted, only added to');
END

CREATE TABLE begun_acts (
    action_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    begun_by TEXT NOT NULL,
    what TEXT NOT NULL,
    items TEXT NOT NULL,
    reached INTEGER NOT NULL DEFAULT 0
)

ALTER TABLE snapshots ADD COLUMN kind TEXT NOT NULL DEFAULT ''

ALTER TABLE snapshots ADD COLUMN tags_seen INTEGER

ALTER TABLE candidates ADD COLUMN apart REAL

CREATE INDEX candidates_drawn ON candidates (id) WHERE parent_id IS NOT NULL

CREATE INDEX candidates_by_verdict_apart ON candidates (verdict, apart DESC, id)

CREATE TABLE leases (
    image_id INTEGER PRIMARY KEY REFERENCES images (id),
    reviewer TEXT NOT NULL,
    session TEXT NOT NULL,
    taken_at REAL NOT NULL,
    until REAL NOT NULL
)

CREATE TABLE assignment_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action_id TEXT NOT NULL,
    image_id INTEGER NOT NULL REFERENCES images (id),
    reviewer TEXT NOT NULL,
    assigned INTEGER NOT NULL CHECK (assigned IN (0, 1)),
    made_by TEXT NOT NULL,
    made_at REAL NOT NULL
)

CREATE UNIQUE INDEX assignment_changes_once
    ON assignment_changes (action_id, image_id, reviewer)

CREATE INDEX assignment_changes_by_image ON assignment_changes (image_id, id)

CREATE TABLE assignments (
    image_id INTEGER NOT NULL REFERENCES images (id),
    reviewer TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (image_id, reviewer)
) WITHOUT ROWID

CREATE INDEX assignments_by_reviewer ON assignments (reviewer, image_id)

CREATE TRIGGER assignments_are_given AFTER INSERT ON assignment_changes
    WHEN NEW.assigned = 1 BEGIN
    INSERT OR REPLACE INTO assignments (image_id, reviewer, made_by, made_at)
        VALUES (NEW.image_id, NEW.reviewer, NEW.made_by, NEW.made_at);
END

CREATE TRIGGER assignments_are_withdrawn AFTER INSERT ON assignment_changes
    WHEN NEW.assigned = 0 BEGIN
    DELETE FROM assignments WHERE image_id = NEW.image_id AND reviewer = NEW.reviewer;
END

CREATE TRIGGER assignment_changes_are_never_changed BEFORE UPDATE ON assignment_changes BEGIN
    SELECT RAISE(ABORT, 'assignments are never changed, only added to');
END

CREATE TRIGGER assignment_changes_are_never_deleted BEFORE DELETE ON assignment_changes BEGIN
    SELECT RAISE(ABORT, 'assignments are never deleted, only added to');
END

CREATE TABLE tag_suggestions (
    image_id INTEGER NOT NULL REFERENCES images (id),
    class_id INTEGER NOT NULL REFERENCES classes (id),
    score REAL NOT NULL,
    run_id INTEGER REFERENCES runs (id),
    added REAL NOT NULL,
    judged INTEGER REFERENCES tag_changes (id),
    PRIMARY KEY (image_id, class_id)
) WITHOUT ROWID

CREATE INDEX tag_suggestions_open ON tag_suggestions (score, class_id, image_id)
    WHERE judged IS NULL

CREATE TRIGGER people_judge_suggestions AFTER INSERT ON tag_changes
WHEN NEW.judged != '[]' AND NEW.undoes IS NULL BEGIN
    UPDATE tag_suggestions SET judged = NEW.id
    WHERE image_id = NEW.image_id AND class_id IN (SELECT value FROM json_each(NEW.judged));
END

CREATE TRIGGER undone_judgements_ask_again AFTER INSERT ON tag_changes
WHEN NEW.judged != '[]' AND NEW.undoes IS NOT NULL BEGIN
    UPDATE tag_suggestions SET judged = (
        SELECT max(c.id) FROM tag_changes AS c, json_each(c.judged) AS said
        WHERE c.image_id = NEW.image_id AND said.value = tag_suggestions.class_id
            AND c.undoes IS NULL
            AND NOT EXISTS (SELECT 1 FROM tag_changes AS u WHERE u.undoes = c.id))
    WHERE image_id = NEW.image_id AND judged = NEW.undoes;
END

CREATE TRIGGER suggestions_heed_people AFTER INSERT ON tag_suggestions
WHEN EXISTS (SELECT 1 FROM tag_changes WHERE image_id = NEW.image_id AND judged != '[]') BEGIN
    UPDATE tag_suggestions SET judged = (
        SELECT max(c.id) FROM tag_changes AS c, json_each(c.judged) AS said
        WHERE c.image_id = NEW.image_id AND said.value = NEW.class_id
            AND c.undoes IS NULL
            AND NOT EXISTS (SELECT 1 FROM tag_changes AS u WHERE u.undoes = c.id))
    WHERE image_id = NEW.image_id AND class_id = NEW.class_id;
END

CREATE TABLE users (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'trainer')),
    secret TEXT NOT NULL,
    created REAL NOT NULL,
    disabled REAL
) WITHOUT ROWID

CREATE TABLE logins (
    token_digest TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name),
    created REAL NOT NULL,
    seen REAL NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID

CREATE TABLE transfers (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('import', 'export')),
    format TEXT NOT NULL,
    path TEXT NOT NULL,
    options TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL CHECK (state IN ('receiving', 'running', 'done', 'failed', 'cancelled')),
    listing TEXT,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    counts TEXT NOT NULL DEFAULT '{}',
    said TEXT NOT NULL DEFAULT '[]',
    by TEXT NOT NULL,
    started REAL NOT NULL,
    finished REAL
)

CREATE TABLE image_copies (
    image_id INTEGER NOT NULL REFERENCES images (id),
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    added REAL NOT NULL,
    PRIMARY KEY (image_id, name)
) WITHOUT ROWID
""",
    )


SCHEMA_VERSION = len(migrations._migrations)
"""What PRAGMA user_version holds once every migration ran."""
