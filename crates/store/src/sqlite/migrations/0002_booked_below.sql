-- How far in the ledger `spendings` goes: intents below this leaf are in them.
CREATE TABLE booked (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    below INTEGER NOT NULL
) STRICT;

INSERT INTO booked (id, below) VALUES (1, 0);
