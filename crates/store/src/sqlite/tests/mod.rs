//! What only SQLite can get wrong; the rules for every backend are in `conformance`.

mod crash;
mod full_disk;
mod opening;

mod in_memory {
    use std::sync::Arc;

    use crate::SqliteStore;

    fn empty() -> ((), Arc<SqliteStore>) {
        ((), Arc::new(SqliteStore::in_memory().unwrap()))
    }

    crate::conformance::conformance_tests!(empty);
}

mod on_disk {
    use std::sync::Arc;

    use crate::SqliteStore;

    fn empty() -> (tempfile::TempDir, Arc<SqliteStore>) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("store.db")).unwrap();
        (directory, Arc::new(store))
    }

    crate::conformance::conformance_tests!(empty);
}
