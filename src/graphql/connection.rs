//! Relay connections.

use async_graphql::SimpleObject;

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

/// Defines the connection and the edge of a type. Cursors and edges are made only when a query selects them, and
/// `totalCount` is there only then.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $list:literal, $element:literal) => {
        #[doc = $list]
        pub struct $connection {
            nodes: $crate::graphql::rows::Rows<$node>,
            has_previous: bool,
            has_next: bool,
            total: i32,
            cursor: Box<dyn Fn(&$node) -> String + Send + Sync>,
        }

        #[doc = $element]
        pub struct $edge {
            cursor: String,
            node: $node,
        }

        impl $connection {
            /// A page of these elements; `cursor` makes the cursor of one.
            pub fn new(
                slice: $crate::paging::Slice<$node>,
                total: Option<i64>,
                cursor: impl Fn(&$node) -> String + Send + Sync + 'static,
            ) -> Self {
                Self {
                    nodes: slice.rows.into(),
                    has_previous: slice.has_previous,
                    has_next: slice.has_next,
                    total: $crate::graphql::number::count(total.unwrap_or_default()),
                    cursor: Box::new(cursor),
                }
            }
        }

        #[doc = $list]
        #[async_graphql::Object]
        impl $connection {
            /// The elements of this page.
            async fn nodes(&self) -> &$crate::graphql::rows::Rows<$node> {
                &self.nodes
            }

            /// The elements of this page with their cursors.
            async fn edges(&self) -> $crate::graphql::rows::Rows<$edge> {
                self.nodes
                    .iter()
                    .map(|node| $edge {
                        cursor: (self.cursor)(node),
                        node: node.clone(),
                    })
                    .collect()
            }

            /// Where this page stands in the list.
            async fn page_info(&self) -> $crate::graphql::connection::PageInfo {
                $crate::graphql::connection::PageInfo {
                    has_previous_page: self.has_previous,
                    has_next_page: self.has_next,
                    start_cursor: self.nodes.first().map(&self.cursor),
                    end_cursor: self.nodes.last().map(&self.cursor),
                }
            }

            /// How many elements the whole list has; counted only when this field is asked for.
            async fn total_count(&self) -> i32 {
                self.total
            }
        }

        #[macros::row]
        #[doc = $element]
        impl $edge {
            /// The position of the element, to go on from.
            fn cursor(&self) -> &str {
                &self.cursor
            }

            /// The element.
            fn node(&self) -> &$node {
                &self.node
            }
        }
    };
}

pub(crate) use connection;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
    use macros::row;

    use crate::graphql::answer;
    use crate::paging::Slice;

    /// Its clones are counted by the references to its text.
    #[derive(Clone)]
    pub struct Item(Arc<str>);

    #[row]
    impl Item {
        fn name(&self) -> &str {
            &self.0
        }

        fn clones(&self) -> Option<i32> {
            i32::try_from(Arc::strong_count(&self.0)).ok()
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
            let slice = slice.map(|name| Item(Arc::from(name)));
            Items::new(slice, None, |item| format!("at {}", item.0))
        }
    }

    #[tokio::test]
    async fn edges_are_made_when_they_are_asked_for() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let answer = |query: &'static str| {
            let schema = schema.clone();
            async move {
                let response = schema.execute(query).await;
                String::from_utf8(answer::encode(&response).unwrap()).unwrap()
            }
        };
        assert_eq!(
            answer("{ items { nodes { name clones } pageInfo { startCursor endCursor } } }").await,
            r#"{"data":{"items":{"nodes":[{"name":"a","clones":1},{"name":"b","clones":1}],"pageInfo":{"startCursor":"at a","endCursor":"at b"}}}}"#
        );
        assert_eq!(
            answer("{ items { edges { cursor node { name } } } }").await,
            r#"{"data":{"items":{"edges":[{"cursor":"at a","node":{"name":"a"}},{"cursor":"at b","node":{"name":"b"}}]}}}"#
        );
    }
}
