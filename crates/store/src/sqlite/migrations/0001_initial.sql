-- Times are milliseconds since 1970. Columns hold what is queried or changed; the rest is canonical
-- JSON. `proposal` names the signed acceptance that brought a row into force.

CREATE TABLE people (
    id    TEXT PRIMARY KEY,
    name  TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE TABLE proposals (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    change      TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    created     INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'refused', 'expired'))
) STRICT;
CREATE INDEX open_proposals ON proposals (created) WHERE state = 'open';

-- Refusals are kept here too: they were signed as well.
CREATE TABLE acceptances (
    proposal   TEXT PRIMARY KEY REFERENCES proposals (id),
    state      TEXT NOT NULL CHECK (state IN ('accepted', 'refused')),
    ceremony   TEXT NOT NULL,
    person     TEXT NOT NULL REFERENCES people (id),
    at         INTEGER NOT NULL,
    challenge  TEXT NOT NULL,
    assertion  TEXT NOT NULL,
    public_key TEXT NOT NULL
) STRICT;

CREATE TABLE authenticators (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    person     TEXT NOT NULL REFERENCES people (id),
    credential TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    sign_count INTEGER NOT NULL,
    proposal   TEXT REFERENCES acceptances (proposal)
) STRICT;
CREATE INDEX authenticators_of ON authenticators (person);

CREATE TABLE connections (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    agent         TEXT NOT NULL,
    workspace     TEXT NOT NULL,
    owner         TEXT REFERENCES people (id),
    parent        TEXT REFERENCES connections (id),
    rights        TEXT NOT NULL,
    budget        TEXT NOT NULL,
    token_version INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    used          INTEGER NOT NULL,
    revoked       INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    proposal      TEXT REFERENCES acceptances (proposal)
) STRICT;
CREATE INDEX connections_below ON connections (parent);

CREATE TABLE grants (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    connection TEXT NOT NULL REFERENCES connections (id),
    parent     TEXT REFERENCES grants (id),
    task       TEXT NOT NULL,
    rights     TEXT NOT NULL,
    budget     TEXT NOT NULL,
    expires    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'tripped', 'revoked')),
    proposal   TEXT REFERENCES acceptances (proposal)
) STRICT;
CREATE INDEX grants_below ON grants (parent);
CREATE INDEX grants_of ON grants (connection);

CREATE TABLE labels (
    upstream    TEXT NOT NULL,
    place       TEXT NOT NULL,
    name        TEXT NOT NULL,
    environment TEXT NOT NULL,
    proposal    TEXT NOT NULL REFERENCES acceptances (proposal),
    PRIMARY KEY (upstream, place)
) STRICT;

CREATE TABLE upstreams (
    name     TEXT PRIMARY KEY,
    body     TEXT NOT NULL,
    proposal TEXT NOT NULL REFERENCES acceptances (proposal)
) STRICT;

CREATE TABLE policies (
    position INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    text     TEXT NOT NULL,
    proposal TEXT NOT NULL REFERENCES acceptances (proposal)
) STRICT;

-- `in_force` is 1 or null, and unique: at most one freeze is in force.
CREATE TABLE freezes (
    id       TEXT PRIMARY KEY,
    since    INTEGER NOT NULL,
    frozen_by TEXT NOT NULL,
    reason   TEXT NOT NULL,
    in_force INTEGER UNIQUE CHECK (in_force = 1),
    thawed   INTEGER,
    proposal TEXT REFERENCES acceptances (proposal),
    CHECK ((in_force IS NULL) = (thawed IS NOT NULL))
) STRICT;

CREATE TABLE holds (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    state      TEXT NOT NULL,
    operation  TEXT NOT NULL,
    connection TEXT NOT NULL REFERENCES connections (id),
    grant_id   TEXT REFERENCES grants (id),
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    approvals  TEXT NOT NULL,
    approved   INTEGER,
    lapses     INTEGER,
    run_at     INTEGER,
    outcome    TEXT
) STRICT;
CREATE INDEX holds_of_operation ON holds (operation, seq);
CREATE UNIQUE INDEX one_open_hold ON holds (operation)
    WHERE state IN ('pending', 'approved', 'scheduled', 'executing');
CREATE INDEX open_holds_of ON holds (connection, state)
    WHERE state IN ('pending', 'approved', 'scheduled', 'executing');

-- What never changes of a hold, apart, so that a step (also one on a full disk) rewrites little.
CREATE TABLE hold_bodies (
    hold TEXT PRIMARY KEY REFERENCES holds (id),
    body TEXT NOT NULL
) STRICT;

CREATE TABLE spendings (
    purse TEXT PRIMARY KEY,
    spent TEXT NOT NULL
) STRICT;

CREATE TABLE sealed (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- Room that is given up when the disk is full and something must be stopped.
CREATE TABLE reserve (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    room BLOB NOT NULL
) STRICT;
