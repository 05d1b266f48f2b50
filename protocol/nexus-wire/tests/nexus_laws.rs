//! Every format of NEXUS's own is held to the laws of a byte format.

use std::collections::BTreeSet;

use nexus_testkit::format::obeys_the_laws;
use nexus_testkit::formats::nexus;

#[test]
fn every_format_obeys_the_laws() {
    for format in nexus::ALL {
        obeys_the_laws(format);
    }
}

#[test]
fn every_format_has_a_name_of_its_own() {
    let names: BTreeSet<_> = nexus::ALL.iter().map(|format| format.name).collect();
    assert_eq!(names.len(), nexus::ALL.len());
}
