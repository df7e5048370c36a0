-- Guarded batches, in order, in one round trip. `:schema` stands for the schema's name.
--
-- Under READ COMMITTED each statement of a VOLATILE function sees what was committed before it began. So the namespace is
-- locked first, which waits for whoever commits to it now, and the guards are checked in a view that has all of that.
--
-- Batches come in segments: within one, no guard asks for what an earlier batch writes, so that all guards of a segment are
-- checked by one statement and all its writes made by another. `.._ends` say where the parts of each segment end in the other
-- arrays, so that a statement sees no more than its segment. Numbers of batches begin at 1, in ascending order.
--
-- The answer has one number a batch: the revision; or -1 - N, the guard N (from 0) did not hold; or the least number there is, a
-- stamped row had the key of another write. Behind them stands 1 if somebody may wait for what is committed, and else 0. It is null if
-- there is no such namespace in this format.
--
-- Who waits listens, then takes a lock, shared, then looks. Whoever takes it exclusively, to the end of the commit, knows that nobody has
-- it, and that whoever gets it looks after this commit.
--
-- The number in its name is raised with every change of this text: schema.rs.
CREATE OR REPLACE FUNCTION :schema.commit_2(
    store bigint,
    batch_ends integer[], key_ends integer[], range_ends integer[], write_ends integer[],
    writing boolean[], colliding boolean[],
    key_batch integer[], key_guard integer[], key_key bytea[], key_revision bigint[],
    range_batch integer[], range_guard integer[], range_start bytea[], range_end bytea[], range_as_of bigint[], range_rows bigint[],
    write_batch integer[], write_stamped boolean[], write_key bytea[], write_link integer[], write_value bytea[],
    deleting boolean, drop_start bytea, drop_end bytea
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    expected bigint := coalesce(array_length(array_positions(writing, TRUE), 1), 0);
    head bigint;
    before bigint;
    outcomes bigint[] := array_fill(0::bigint, ARRAY[array_length(writing, 1)]);
    first integer := 1;
    first_key integer := 1;
    first_range integer := 1;
    first_write integer := 1;
    last integer;
    last_key integer;
    last_range integer;
    last_write integer;
    broken record;
    dropped bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a commit needs the isolation level READ COMMITTED';
    END IF;
    -- As if all will be committed, which they mostly are: so the row is locked and changed at once.
    IF expected > 0 THEN
        UPDATE :schema.namespaces n SET revision = n.revision + expected
            WHERE n.id = store AND n.format = 1 RETURNING n.revision - expected INTO head;
    ELSE
        SELECT n.revision INTO head FROM :schema.namespaces n WHERE n.id = store AND n.format = 1 FOR NO KEY UPDATE;
    END IF;
    IF head IS NULL THEN
        RETURN NULL;
    END IF;
    before := head;
    expected := head + expected;
    FOR segment IN 1 .. array_length(batch_ends, 1) LOOP
        last := batch_ends[segment];
        last_key := key_ends[segment];
        last_range := range_ends[segment];
        last_write := write_ends[segment];
        -- What there is none of is not asked for: each statement costs as much as a few rows.
        IF last_key >= first_key THEN
            FOR broken IN
                SELECT g.batch, g.guard
                    FROM unnest(
                        key_batch[first_key:last_key], key_guard[first_key:last_key], key_key[first_key:last_key],
                        key_revision[first_key:last_key]
                    ) AS g(batch, guard, key, revision)
                    LEFT JOIN :schema.rows r ON r.namespace = store AND r.key = g.key
                    WHERE r.revision IS DISTINCT FROM g.revision
            LOOP
                IF outcomes[broken.batch] = 0 OR outcomes[broken.batch] < -1 - broken.guard THEN
                    outcomes[broken.batch] := -1 - broken.guard;
                END IF;
            END LOOP;
        END IF;
        IF last_range >= first_range THEN
            -- Nothing has changed since the newest revision. No more rows are counted than tell.
            FOR broken IN
                SELECT g.batch, g.guard
                    FROM unnest(
                        range_batch[first_range:last_range], range_guard[first_range:last_range],
                        range_start[first_range:last_range], range_end[first_range:last_range],
                        range_as_of[first_range:last_range], range_rows[first_range:last_range]
                    ) AS g(batch, guard, start_key, end_key, as_of, rows),
                    LATERAL (SELECT count(*) AS rows, max(x.revision) AS latest FROM (
                        SELECT r.revision FROM :schema.rows r
                        WHERE r.namespace = store AND r.key >= g.start_key AND r.key < g.end_key LIMIT g.rows + 1
                    ) x) found
                    WHERE g.as_of <> head AND (found.rows <> g.rows OR found.latest > g.as_of)
            LOOP
                IF outcomes[broken.batch] = 0 OR outcomes[broken.batch] < -1 - broken.guard THEN
                    outcomes[broken.batch] := -1 - broken.guard;
                END IF;
            END LOOP;
        END IF;
        FOR batch IN first .. last LOOP
            IF outcomes[batch] = 0 THEN
                IF writing[batch] THEN
                    head := head + 1;
                END IF;
                outcomes[batch] := head;
                -- Such a batch is a segment of its own, so that no revision after it depends on this.
                IF colliding[batch] AND EXISTS (
                    SELECT FROM unnest(write_stamped[first_write:last_write], write_key[first_write:last_write]) AS s(stamped, key)
                        JOIN unnest(write_stamped[first_write:last_write], write_key[first_write:last_write]) AS w(stamped, key)
                            ON w.key = s.key || int8send(head)
                        WHERE s.stamped AND NOT w.stamped
                ) THEN
                    head := head - 1;
                    outcomes[batch] := -9223372036854775808;
                END IF;
            END IF;
        END LOOP;
        IF last_write < first_write THEN
            NULL;
        ELSIF last = first AND NOT deleting THEN
            -- One batch writes a key once.
            IF outcomes[first] > 0 THEN
                INSERT INTO :schema.rows AS r (namespace, key, revision, link, value)
                    SELECT store, CASE WHEN w.stamped THEN w.key || int8send(head) ELSE w.key END, head, w.link, w.value
                    FROM unnest(
                        write_stamped[first_write:last_write], write_key[first_write:last_write],
                        write_link[first_write:last_write], write_value[first_write:last_write]
                    ) AS w(stamped, key, link, value)
                    ON CONFLICT (namespace, key) DO UPDATE
                        SET revision = excluded.revision, link = excluded.link, value = excluded.value;
            END IF;
        ELSE
            -- Of several batches that write a key, the last counts. A write of neither link nor value deletes.
            WITH staged AS (
                SELECT DISTINCT ON (u.key) u.key, u.revision, u.link, u.value FROM (
                    SELECT CASE WHEN w.stamped THEN w.key || int8send(outcomes[w.batch]) ELSE w.key END AS key,
                        outcomes[w.batch] AS revision, w.batch, w.link, w.value
                    FROM unnest(
                        write_batch[first_write:last_write], write_stamped[first_write:last_write],
                        write_key[first_write:last_write], write_link[first_write:last_write], write_value[first_write:last_write]
                    ) AS w(batch, stamped, key, link, value)
                    WHERE outcomes[w.batch] > 0
                ) u ORDER BY u.key, u.batch DESC
            ), deleted AS (
                DELETE FROM :schema.rows r USING staged s
                WHERE r.namespace = store AND r.key = s.key AND s.link IS NULL AND s.value IS NULL
            )
            INSERT INTO :schema.rows AS r (namespace, key, revision, link, value)
                SELECT store, s.key, s.revision, s.link, s.value FROM staged s WHERE s.link IS NOT NULL OR s.value IS NOT NULL
                ON CONFLICT (namespace, key) DO UPDATE
                    SET revision = excluded.revision, link = excluded.link, value = excluded.value;
        END IF;
        -- A range that goes, under the guards of the one batch there is then.
        IF drop_end IS NOT NULL AND outcomes[first] >= 0 THEN
            DELETE FROM :schema.rows r WHERE r.namespace = store AND r.key >= drop_start AND r.key < drop_end;
            GET DIAGNOSTICS dropped = ROW_COUNT;
            IF dropped > 0 THEN
                head := head + 1;
                outcomes[first] := head;
            END IF;
        END IF;
        first := last + 1;
        first_key := last_key + 1;
        first_range := last_range + 1;
        first_write := last_write + 1;
    END LOOP;
    IF head <> expected THEN
        UPDATE :schema.namespaces n SET revision = head WHERE n.id = store;
    END IF;
    IF head > before AND NOT pg_try_advisory_xact_lock(:listeners) THEN
        RETURN outcomes || 1::bigint;
    END IF;
    RETURN outcomes || 0::bigint;
END
$$;
