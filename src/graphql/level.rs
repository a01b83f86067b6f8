//! Rows that were loaded together load their children together.
//!
//! A [`Level`] is the set of parents on one level of a query. The first of them that asks for its children loads those
//! of all, in one statement, and the others find them there. Unlike a loader with a timer this does not depend on how
//! fast the parents ask, so the number of statements of an operation is always the same.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Error;
use tokio::sync::OnceCell;

use super::context::failed;
use crate::database::Database;
use crate::failure::Failure;

/// A list of children that can be loaded for many parents at once. The key holds all that the list depends on but the
/// parent: page, filter, order.
pub trait ChildList: Hash + Eq + Clone + Send + Sync + 'static {
    /// The children of one parent.
    type Children: Clone + Default + Send + Sync + 'static;

    /// Loads the children of all these parents; a parent without any may be left out.
    fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> impl Future<Output = Result<HashMap<i64, Self::Children>, Failure>> + Send;
}

/// The children of all parents of a level, in a `HashMap` by parent.
type Children = Arc<dyn Any + Send + Sync>;

type Cell = Arc<OnceCell<Children>>;

/// Cells by type and hash of the list; lists whose hashes are equal stand beside each other.
type Cells = HashMap<(TypeId, u64), Vec<(Box<dyn Any + Send>, Cell)>>;

/// The children of all rows of a list.
pub struct Loaded<L>(Vec<Children>, PhantomData<fn() -> L>);

impl<L: ChildList> Loaded<L> {
    /// The children of this row, if it has any.
    pub fn of(&self, parent: i64) -> Option<&L::Children> {
        self.0
            .iter()
            .find_map(|children| of_parent::<L>(children, parent))
    }
}

/// The children of one parent among those of a level.
fn of_parent<L: ChildList>(children: &Children, parent: i64) -> Option<&L::Children> {
    children
        .downcast_ref::<HashMap<i64, L::Children>>()?
        .get(&parent)
}

/// The parents on one level of a query.
#[derive(Default)]
pub struct Level {
    parents: Vec<i64>,
    experiments: Vec<i64>,
    rows: Option<Box<dyn Any + Send + Sync>>,
    lists: Mutex<Cells>,
}

impl Level {
    /// A level of these parents; `experiments` are those that they belong to.
    pub fn new(parents: Vec<i64>, experiments: Vec<i64>) -> Arc<Self> {
        Arc::new(Self::unshared(parents, experiments, None))
    }

    /// A level of the rows with these ids, some of which may be there more than once.
    pub fn of_rows(ids: impl Iterator<Item = i64>) -> Arc<Self> {
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        Self::new(ids, Vec::new())
    }

    /// The children of each parent with the level that all of them are on.
    pub fn of_children<R>(
        children: HashMap<i64, Vec<R>>,
        id: impl Fn(&R) -> i64,
    ) -> HashMap<i64, (Vec<R>, Arc<Self>)> {
        let level = Self::of_rows(children.values().flatten().map(id));
        let with_level = |(parent, rows)| (parent, (rows, Arc::clone(&level)));
        children.into_iter().map(with_level).collect()
    }

    /// A level that keeps the rows of its parents at hand, for lists of children that may be among them.
    pub fn with_rows<R>(parents: Vec<i64>, experiments: Vec<i64>, rows: R) -> Arc<Self>
    where
        R: Any + Send + Sync,
    {
        Arc::new(Self::unshared(parents, experiments, Some(Box::new(rows))))
    }

    fn unshared(
        parents: Vec<i64>,
        mut experiments: Vec<i64>,
        rows: Option<Box<dyn Any + Send + Sync>>,
    ) -> Self {
        experiments.sort_unstable();
        experiments.dedup();
        Self {
            parents,
            experiments,
            rows,
            lists: Mutex::default(),
        }
    }

    /// The rows of the parents, if they are at hand and of this kind.
    pub fn rows<R: Any>(&self) -> Option<&R> {
        self.rows.as_ref()?.downcast_ref()
    }

    /// The row ids of the parents.
    pub fn parents(&self) -> &[i64] {
        &self.parents
    }

    /// The experiments that the parents belong to.
    pub fn experiments(&self) -> &[i64] {
        &self.experiments
    }

    /// The children of one of the parents.
    pub async fn children<L: ChildList>(
        &self,
        database: &Database,
        list: &L,
        parent: i64,
    ) -> Result<L::Children, Error> {
        self.checked_children(database, list, parent, || Ok(()))
            .await
    }

    /// The children of one of the parents, which are not loaded, for none of the parents, unless this check passes. A list
    /// that is there already is not checked again.
    pub async fn checked_children<L: ChildList>(
        &self,
        database: &Database,
        list: &L,
        parent: i64,
        check: impl FnOnce() -> Result<(), Error> + Send,
    ) -> Result<L::Children, Error> {
        let children = self.load(database, list, check).await?;
        Ok(of_parent::<L>(&children, parent)
            .cloned()
            .unwrap_or_default())
    }

    /// The children of rows, each of which is on its level; most often these are one and the same.
    pub async fn children_of_rows<'a, L: ChildList>(
        levels: impl Iterator<Item = &'a Arc<Self>>,
        database: &Database,
        list: &L,
    ) -> Result<Loaded<L>, Error> {
        let mut distinct: Vec<&Arc<Self>> = Vec::with_capacity(1);
        for level in levels {
            if !distinct.iter().any(|known| Arc::ptr_eq(known, level)) {
                distinct.push(level);
            }
        }
        let mut loaded = Vec::with_capacity(distinct.len());
        for level in distinct {
            loaded.push(level.load(database, list, || Ok(())).await?);
        }
        Ok(Loaded(loaded, PhantomData))
    }

    async fn load<L: ChildList>(
        &self,
        database: &Database,
        list: &L,
        check: impl FnOnce() -> Result<(), Error> + Send,
    ) -> Result<Children, Error> {
        let cell = self.cell(list);
        let loaded = cell.get_or_try_init(|| async {
            check()?;
            let children = list.load(database, self).await.map_err(failed)?;
            Ok::<_, Error>(Arc::new(children) as Children)
        });
        Ok(Arc::clone(loaded.await?))
    }

    fn cell<L: ChildList>(&self, list: &L) -> Cell {
        let mut hasher = DefaultHasher::new();
        list.hash(&mut hasher);
        let key = (TypeId::of::<L>(), hasher.finish());
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let cells = lists.entry(key).or_default();
        let known = cells
            .iter()
            .find(|(known, _)| known.downcast_ref::<L>() == Some(list));
        if let Some((_, cell)) = known {
            return Arc::clone(cell);
        }
        let cell = Cell::default();
        cells.push((Box::new(list.clone()), Arc::clone(&cell)));
        cell
    }
}
