-- The tables of a schema: docs/format.md. `:schema` stands for its name.

-- The newest revision of each namespace, which every commit changes: with room in its page, so that no index has to change.
CREATE TABLE IF NOT EXISTS :schema.namespaces (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    format integer NOT NULL,
    revision bigint NOT NULL
) WITH (fillfactor = 20);

CREATE TABLE IF NOT EXISTS :schema.rows (
    namespace bigint NOT NULL,
    key bytea NOT NULL,
    revision bigint NOT NULL,
    link integer,
    value bytea,
    PRIMARY KEY (namespace, key)
);
-- Long values go out of line as they are: compressing what is sealed is in vain. Keys are short, and compared often.
ALTER TABLE :schema.rows ALTER COLUMN key SET STORAGE PLAIN, ALTER COLUMN value SET STORAGE EXTERNAL;
