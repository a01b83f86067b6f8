"""Makes datasets with dtool below a base URI, and prints what dtool itself reads there: a JSON list.

Usage: dtool_datasets.py BASE_URI (a bucket is made if it is missing).
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")

import dtoolcore  # noqa: E402


def dtool(*arguments):
    """Runs the command line of dtool."""
    command = os.path.join(os.path.dirname(sys.executable), "dtool")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", command, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def file_of(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    return path


def by_command_line(base_uri, folder):
    """create, add, readme, tag, annotation, freeze: as people do it."""
    uri = dtool("create", "-q", "from-the-command-line", base_uri)
    dtool("add", "item", file_of(folder, "a.csv", "x,y\n1,2\n"), uri)
    dtool("add", "item", file_of(folder, "empty.txt", ""), uri)
    dtool("readme", "write", uri, file_of(folder, "README.yml", "---\nproject: Tests\nstarted: 2024-02-29\n"))
    dtool("tag", "set", uri, "measured")
    dtool("tag", "set", uri, "second-tag")
    dtool("annotation", "set", uri, "operator", "ada")
    dtool("freeze", uri)
    # What may still be changed after that.
    dtool("tag", "set", uri, "late")
    dtool("tag", "delete", uri, "second-tag")
    dtool("annotation", "set", uri, "reviewed", "yes")


def by_library(base_uri, folder):
    """Types of annotations, metadata of items, names beyond ASCII, and a dataset that derives from another."""
    source = dtoolcore.create_proto_dataset("from-the-library", base_uri, "a text\nwithout structure\n", "ada")
    for relpath in ["plain.txt", "sub/folder/ünïcödé 🧪.dat", "spaces in name.txt", "a&b=c#d+e.txt"]:
        source.put_item(file_of(folder, "content", relpath), relpath)
        source.add_item_metadata(relpath, "letters", len(relpath))
        source.add_item_metadata(relpath, "about", {"path": relpath, "none": None})
    values = {"text": "ü", "whole": 3, "real": 0.1, "yes": True, "nothing": None, "list": [1, "b", {"c": 2.5}]}
    for name, value in values.items():
        source.put_annotation(name, value)
    source.freeze()
    source = dtoolcore.DataSet.from_uri(source.uri)
    derived = dtoolcore.create_derived_proto_dataset("derived", base_uri, source, "derived_from:\n- uuid: %s\n" % source.uuid)
    derived.freeze()
    growing = dtoolcore.create_proto_dataset("growing", base_uri)
    growing.put_item(file_of(folder, "content", "some"), "some.txt")
    growing.put_tag("unfinished")


def as_dtool_reads(uri, frozen):
    dataset = (dtoolcore.DataSet if frozen else dtoolcore.ProtoDataSet).from_uri(uri)
    told = {
        "uri": uri,
        "base_uri": uri.rsplit("/", 1)[0],
        "admin_metadata": dict(dataset._admin_metadata),
        "readme": dataset.get_readme_content(),
        "tags": sorted(dataset.list_tags()),
        "annotations": {name: dataset.get_annotation(name) for name in dataset.list_annotation_names()},
    }
    if frozen:
        told["manifest"] = dataset._manifest
        told["overlays"] = {name: dataset.get_overlay(name) for name in dataset.list_overlay_names()}
        told["identifiers"] = sorted(dataset.identifiers)
    return told


def main(base_uri):
    if base_uri.startswith("s3://"):
        from dtool_s3.storagebroker import S3StorageBroker

        bucket = base_uri[len("s3://") :]
        resource, client, _ = S3StorageBroker._get_resource_and_client(bucket)
        if bucket not in [bucket.name for bucket in resource.buckets.all()]:
            client.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as folder:
        # Each command starts a Python of its own, which with the library of Amazon takes its time.
        if base_uri.startswith("file://"):
            by_command_line(base_uri, folder)
        by_library(base_uri, folder)
    told = [as_dtool_reads(dataset.uri, True) for dataset in dtoolcore.iter_datasets_in_base_uri(base_uri)]
    told += [as_dtool_reads(dataset.uri, False) for dataset in dtoolcore.iter_proto_datasets_in_base_uri(base_uri)]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
