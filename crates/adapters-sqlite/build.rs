//! Embeds the migrations anew whenever one comes or changes; the macro that embeds them cannot tell.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/sqlite");
}
