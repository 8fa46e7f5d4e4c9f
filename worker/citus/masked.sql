-- Citus asks on every node whether who reads a view may read its tables. Those who are not to see persons may not: here
-- the masked views read through functions of the owner's, a whole table at a time.
DO $$
DECLARE
    view record;
BEGIN
    FOR view IN
        SELECT relname AS name, 'masked_' || relname AS inner_name, plain FROM pg_class
        JOIN tccc_private.plain_form ON plain_form.name = 'tccc_masked.' || relname
        WHERE relnamespace = 'tccc_masked'::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE replace(view.plain, 'VIEW tccc_masked.' || view.name, 'VIEW tccc_private.' || view.inner_name);
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION tccc_private.%1$I() RETURNS SETOF tccc_private.%1$I LANGUAGE plpgsql STABLE'
            ' SECURITY DEFINER ROWS 1000000 SET search_path = pg_catalog, pg_temp'
            ' AS ''BEGIN RETURN QUERY SELECT * FROM tccc_private.%1$I; END''', view.inner_name);
        EXECUTE format(
            'CREATE OR REPLACE VIEW tccc_masked.%I AS SELECT * FROM tccc_private.%I()', view.name, view.inner_name);
    END LOOP;
END $$;
