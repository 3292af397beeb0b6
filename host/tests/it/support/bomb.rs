//! Components that are small to read and large to compile.
//!
//! One function has many variables, changed under many loops inside one
//! another. A compiler in static single assignment form has to ask at each loop
//! which value each variable has: work and memory grow with the product.

/// A component with this many variables and loops.
pub(crate) fn bomb(variables: u32, loops: u32) -> Vec<u8> {
    let mut body = [leb128(1), leb128(variables), vec![0x7f]].concat();
    for _ in 0..loops {
        // loop
        body.extend([0x03, 0x40]);
    }
    for variable in 0..variables {
        // local.get, i32.const 1, i32.add, local.set
        body.push(0x20);
        body.extend(leb128(variable));
        body.extend([0x41, 1, 0x6a, 0x21]);
        body.extend(leb128(variable));
    }
    for _ in 0..loops {
        // i32.const 0, br_if 0, end
        body.extend([0x41, 0, 0x0d, 0, 0x0b]);
    }
    body.push(0x0b);
    let code = [leb128(1), sized(&body)].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &code),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

fn sized(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small component");
    [leb128(length), content.to_vec()].concat()
}

fn leb128(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
