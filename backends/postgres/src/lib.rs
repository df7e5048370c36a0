//! Strongroom on a PostgreSQL server, through sqlx: for many machines, and for more than one store.
//!
//! ```no_run
//! # async fn example() -> strongroom_core::Result<()> {
//! use strongroom_core::store::Store;
//!
//! let store = strongroom_postgres::Postgres::open("postgres://chat@db.example/chat?namespace=alice").await?;
//! let snapshot = store.snapshot().await?;
//! # drop(snapshot);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A *namespace* is one store: its revisions are one sequence, its transactions are serializable among each other, and it knows
//! nothing of the others. One [`Server`] has the connections and opens any number of them. Namespaces do not wait for each
//! other, so they are what grows: an account, a tenant, a room server each.
//!
//! In the database there are, in one schema of its own, a table of rows, a table of namespaces with the newest revision of each,
//! and a function that commits. A page is one statement, and so is a group of batches.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bounds;
mod commit;
mod connections;
mod error;
mod group;
mod options;
mod page;
mod read;
mod row;
mod schema;
mod server;
mod settings;
mod signals;
mod snapshots;
mod statements;
mod store;
mod url;

pub use options::PostgresOptions;
pub use server::Server;
pub use store::Postgres;
