//! Focal planes.

mod cli;
mod contract;
mod costs;
mod demo;
mod differences;
mod edges;
mod facade;
mod facade_posts;
mod files;
mod goldens;
mod hostile;
mod nights;
mod observatory;
mod overlaps;
mod plans;
mod races;
mod replay;
mod site;
mod updates;
mod vectors;
