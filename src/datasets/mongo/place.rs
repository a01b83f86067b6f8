//! Where the fields of a dataset are kept.

use sea_orm::sea_query::{Expr, ExprTrait};

use super::cell::{Cell, col};
use super::path::Path;

/// Where a field is kept.
pub(super) enum Place {
    /// In the row of the dataset.
    Own(Cell),
    /// In the rows of values.
    Values,
    /// It is a document that is always there.
    Always,
    /// An item of the manifest, or this column of it.
    Item(String, Option<Cell>),
}

/// Where a field is kept.
pub(super) fn place(path: &Path) -> Place {
    let own = |column| col("dataset", column);
    let item = |column| col("dataset_item", column);
    match path.steps().as_slice() {
        ["uri"] => Place::Own(Cell::Text(own("uri"))),
        ["base_uri"] => Place::Own(Cell::Text(own("base_uri"))),
        ["uuid"] => Place::Own(Cell::Text(own("uuid"))),
        ["name"] => Place::Own(Cell::Text(own("name"))),
        ["creator_username"] => Place::Own(Cell::Text(own("creator_username"))),
        ["dtoolcore_version"] => Place::Own(Cell::Text(own("dtoolcore_version"))),
        ["manifest", "dtoolcore_version"] => Place::Own(Cell::Text(own("manifest_version"))),
        ["manifest", "hash_function"] => Place::Own(Cell::Text(own("hash_function"))),
        ["type"] => Place::Own(Cell::Text(Expr::value("dataset").cast_as("TEXT"))),
        ["number_of_items"] => Place::Own(Cell::Number(own("item_count"))),
        ["size_in_bytes"] => Place::Own(Cell::Number(own("size_bytes"))),
        ["created_at"] => Place::Own(Cell::Moment(own("created_at"))),
        ["frozen_at"] => Place::Own(Cell::Moment(own("frozen_at"))),
        ["manifest"] | ["manifest", "items"] => Place::Always,
        ["manifest", "items", identifier] => Place::Item((*identifier).to_owned(), None),
        ["manifest", "items", identifier, field] => {
            let cell = match *field {
                "hash" => Cell::Text(item("hash")),
                "relpath" => Cell::Text(item("relpath")),
                "size_in_bytes" => Cell::Number(item("size_bytes")),
                "utc_timestamp" => {
                    let seconds = item("modified_at").cast_as("DOUBLE PRECISION");
                    Cell::Number(seconds.div(Expr::cust("1000000.0")))
                }
                _ => return Place::Values,
            };
            Place::Item((*identifier).to_owned(), Some(cell))
        }
        _ => Place::Values,
    }
}
