//! Components small enough to be written byte by byte.

const HEADER: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id, u8::try_from(content.len()).unwrap()], content].concat()
}

fn name(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [&HEADER, &sections.concat()[..]].concat()
}

/// `(component)`
pub(super) fn empty() -> Vec<u8> {
    component(&[])
}

/// `(component (import "NAME" (instance)))`
pub(super) fn importing(interface: &str) -> Vec<u8> {
    let instance_type = section(7, &[1, 0x42, 0]);
    let import = [&[1, 0][..], &name(interface), &[5, 0]].concat();
    component(&[instance_type, section(10, &import)])
}

/// Exports an interface without any function.
pub(super) fn exporting_nothing_in(interface: &str) -> Vec<u8> {
    let instance = section(5, &[1, 1, 0]);
    let export = [&[1, 0][..], &name(interface), &[5, 0, 0]].concat();
    component(&[instance, section(11, &export)])
}

/// Exports an interface with one function, which takes nothing and returns a
/// `u32`, and calls nothing.
pub(super) fn exporting_number(interface: &str, function: &str) -> Vec<u8> {
    let module: Vec<u8> = [
        &[0, b'a', b's', b'm', 1, 0, 0, 0][..],
        &section(1, &[1, 0x60, 0, 1, 0x7f]),
        &section(3, &[1, 0]),
        &section(7, &[1, 1, b'f', 0, 0]),
        &section(10, &[1, 4, 0, 0x41, 0, 0x0b]),
    ]
    .concat();
    let exports = [&[1, 1, 1, 0][..], &name(function), &[1, 0]].concat();
    let export = [&[1, 0][..], &name(interface), &[5, 0, 0]].concat();
    component(&[
        section(1, &module),
        section(2, &[1, 0, 0, 0]),
        section(6, &[1, 0, 0, 1, 0, 1, b'f']),
        section(7, &[1, 0x40, 0, 0, 0x79]),
        section(8, &[1, 0, 0, 0, 0, 0]),
        section(5, &exports),
        section(11, &export),
    ])
}
