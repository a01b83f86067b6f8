//! Relay connections.

use async_graphql::SimpleObject;

use crate::paging::Slice;

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// Are there elements before the first of this page?
    pub has_previous_page: bool,
    /// Are there elements after the last of this page?
    pub has_next_page: bool,
    /// The cursor of the first element of this page.
    pub start_cursor: Option<String>,
    /// The cursor of the last element of this page.
    pub end_cursor: Option<String>,
}

impl PageInfo {
    /// The info of a slice whose elements have these cursors.
    pub fn new<M>(slice: &Slice<M>, cursors: &[String]) -> Self {
        Self {
            has_previous_page: slice.has_previous,
            has_next_page: slice.has_next,
            start_cursor: cursors.first().cloned(),
            end_cursor: cursors.last().cloned(),
        }
    }
}

/// Defines the connection and the edge of a type. `totalCount` is there only when the query selects it, and edges are
/// made only then too.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $list:literal, $element:literal) => {
        #[doc = $list]
        #[derive(async_graphql::SimpleObject)]
        #[graphql(complex)]
        pub struct $connection {
            #[graphql(skip)]
            cursors: Vec<String>,
            /// The elements of this page.
            pub nodes: Vec<$node>,
            /// Where this page stands in the list.
            pub page_info: $crate::graphql::connection::PageInfo,
            /// How many elements the whole list has; counted only when this field is asked for.
            pub total_count: i32,
        }

        #[doc = $element]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The position of the element, to go on from.
            pub cursor: String,
            /// The element.
            pub node: $node,
        }

        impl $connection {
            /// A page of these elements; `cursor` makes the cursor of a row, `node` its object.
            pub fn new<M>(
                slice: $crate::paging::Slice<M>,
                total_count: Option<i64>,
                cursor: impl Fn(&M) -> String,
                node: impl Fn(M) -> $node,
            ) -> Self {
                let cursors: Vec<String> = slice.rows.iter().map(cursor).collect();
                let page_info = $crate::graphql::connection::PageInfo::new(&slice, &cursors);
                Self {
                    cursors,
                    nodes: slice.rows.into_iter().map(node).collect(),
                    page_info,
                    total_count: $crate::graphql::number::count(total_count.unwrap_or_default()),
                }
            }
        }

        #[async_graphql::ComplexObject]
        impl $connection {
            /// The elements of this page with their cursors.
            async fn edges(&self) -> Vec<$edge> {
                self.cursors
                    .iter()
                    .zip(&self.nodes)
                    .map(|(cursor, node)| $edge {
                        cursor: cursor.clone(),
                        node: node.clone(),
                    })
                    .collect()
            }
        }
    };
}

pub(crate) use connection;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

    use super::*;

    /// Its clones are counted by the references to its text.
    #[derive(Clone)]
    pub struct Item(Arc<str>);

    #[Object]
    impl Item {
        async fn name(&self) -> &str {
            &self.0
        }

        async fn clones(&self) -> usize {
            Arc::strong_count(&self.0)
        }
    }

    connection!(
        Items,
        ItemEdge,
        Item,
        "A page of items.",
        "An item in a page."
    );

    struct Query;

    #[Object]
    impl Query {
        async fn items(&self) -> Items {
            let slice = Slice {
                rows: vec!["a", "b"],
                has_previous: false,
                has_next: true,
            };
            Items::new(
                slice,
                None,
                |row| format!("at {row}"),
                |row| Item(Arc::from(row)),
            )
        }
    }

    #[tokio::test]
    async fn edges_are_made_when_they_are_asked_for() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let answer = |query: &'static str| {
            let schema = schema.clone();
            async move {
                schema
                    .execute(query)
                    .await
                    .into_result()
                    .unwrap()
                    .data
                    .to_string()
            }
        };
        assert_eq!(
            answer("{ items { nodes { name clones } pageInfo { startCursor endCursor } } }").await,
            "{items: {nodes: [{name: \"a\", clones: 1}, {name: \"b\", clones: 1}], \
             pageInfo: {startCursor: \"at a\", endCursor: \"at b\"}}}"
        );
        assert_eq!(
            answer("{ items { edges { cursor node { name } } } }").await,
            "{items: {edges: [{cursor: \"at a\", node: {name: \"a\"}}, \
             {cursor: \"at b\", node: {name: \"b\"}}]}}"
        );
    }
}
