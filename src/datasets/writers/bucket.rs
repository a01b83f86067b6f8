//! Datasets in buckets.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Edit, backup, json};
use crate::datasets::readers::layout::{Collection, Layout};
use crate::datasets::readers::{ReadError, Store};

/// Changes the dataset that lies there.
pub(super) async fn write(store: &Store, layout: &Layout, edits: &[Edit]) -> Result<(), ReadError> {
    let objects = store.objects();
    let annotation = |name: &str| {
        let folder = layout.collection(Collection::Annotations);
        folder.join(format!("{name}.json"))
    };
    let tag = |tag: &str| layout.collection(Collection::Tags).join(tag);
    // Nothing is changed if something cannot be.
    for edit in edits {
        if let Edit::PutAnnotation(name, _) = edit
            && name.contains('.')
        {
            return Err(ReadError::Invalid(format!(
                "the annotation {name:?} cannot be kept in a bucket: dtool lists none there if a name has a dot"
            )));
        }
    }
    for edit in edits {
        match edit {
            Edit::PutTag(name) => put(objects, &tag(name), Bytes::new()).await?,
            Edit::RemoveTag(name) => remove(objects, &tag(name)).await?,
            Edit::PutAnnotation(name, value) => {
                put(objects, &annotation(name), json(value).into()).await?;
            }
            Edit::RemoveAnnotation(name) => remove(objects, &annotation(name)).await?,
            Edit::Readme(text) => readme(store, layout, text).await?,
        }
    }
    Ok(())
}

async fn readme(store: &Store, layout: &Layout, text: &str) -> Result<(), ReadError> {
    let (objects, readme) = (store.objects(), layout.readme());
    let before = match store.bytes(&readme, store.limits().readme_bytes).await {
        Ok(before) => Some(before),
        Err(ReadError::Missing) => None,
        Err(error) => return Err(error),
    };
    match before {
        Some(before) if before == text.as_bytes() => return Ok(()),
        Some(before) => put(objects, &layout.beside_readme(&backup()), before).await?,
        None => {}
    }
    put(objects, &readme, text.to_owned().into()).await
}

async fn put(objects: &dyn ObjectStore, path: &Path, content: Bytes) -> Result<(), ReadError> {
    objects.put(path, content.into()).await?;
    Ok(())
}

async fn remove(objects: &dyn ObjectStore, path: &Path) -> Result<(), ReadError> {
    match objects.delete(path).await.map_err(ReadError::from) {
        Ok(()) | Err(ReadError::Missing) => Ok(()),
        Err(error) => Err(error),
    }
}
