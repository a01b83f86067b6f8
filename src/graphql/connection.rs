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

/// Defines the connection and the edge of a type. `totalCount` is there only when the query selects it.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $list:literal, $element:literal) => {
        #[doc = $list]
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The elements of this page with their cursors.
            pub edges: Vec<$edge>,
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
                let nodes: Vec<$node> = slice.rows.into_iter().map(node).collect();
                let edges = cursors
                    .into_iter()
                    .zip(&nodes)
                    .map(|(cursor, node)| $edge {
                        cursor,
                        node: node.clone(),
                    })
                    .collect();
                Self {
                    edges,
                    nodes,
                    page_info,
                    total_count: $crate::graphql::number::count(total_count.unwrap_or_default()),
                }
            }
        }
    };
}

pub(crate) use connection;
