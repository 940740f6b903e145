-- A stream made anew counts its messages from 1 again, so the time at which it stored a message tells messages apart,
-- too. Of what was put aside before, only the time of that is known.
ALTER TABLE projection.dead_letters ADD COLUMN stored_at timestamptz;
UPDATE projection.dead_letters SET stored_at = received_at;
ALTER TABLE projection.dead_letters
    ALTER COLUMN stored_at SET NOT NULL,
    DROP CONSTRAINT dead_letters_stream_stream_sequence_event_index_key,
    ADD UNIQUE (stream, stream_sequence, stored_at, event_index);
