//! Opens the configured database.

use domain::store::Store;

use crate::{config::Config, failure::Failure};

/// Opens the database and brings its schema up to date.
pub(crate) async fn open_store(config: &Config, serves: bool) -> Result<Store, Failure> {
    Store::open(config.store_options(serves))
        .await
        .map_err(|error| Failure::at_database(&config.database_url.masked(), &error))
}
