//! What each kind of change does, and to what.

use crate::check;

#[test]
fn fields_are_removed() {
    check(
        r#"{"remove": ["password", "user.secret", "items[].id", "*.internal", "[].x"]}"#,
        &[
            (r#"{"a":1,"password":"x","b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"password":"x"}"#, "{}"),
            (
                r#"{"user":{"secret":1,"name":"ann"}}"#,
                r#"{"user":{"name":"ann"}}"#,
            ),
            (
                r#"{"items":[{"id":1,"n":2},{"id":3},4,[],null]}"#,
                r#"{"items":[{"n":2},{},4,[],null]}"#,
            ),
            (
                r#"{"a":{"internal":1},"b":{"internal":2,"c":3}}"#,
                r#"{"a":{},"b":{"c":3}}"#,
            ),
            (
                r#"{"user":[{"secret":1}],"items":{"id":1}}"#,
                r#"{"user":[{"secret":1}],"items":{"id":1}}"#,
            ),
            (r#"[{"x":1,"password":2}]"#, r#"[{"password":2}]"#),
            ("null", "null"),
        ],
    );
    check(
        r#"{"remove": ["*"]}"#,
        &[(r#"{"a":1,"b":{}}"#, "{}"), ("[1]", "[1]")],
    );
    check(
        r#"{"remove": ["a[]", "b[][]"]}"#,
        &[(
            r#"{"a":[1,{}],"b":[[1],2,[]]}"#,
            r#"{"a":[],"b":[[],2,[]]}"#,
        )],
    );
}

#[test]
fn fields_are_renamed_where_they_are() {
    check(
        r#"{"rename": {"user": "customer", "user.name": "full_name", "items[].id": "key"}}"#,
        &[
            (
                r#"{"a":1,"user":{"name":"ann","age":7},"b":2}"#,
                r#"{"a":1,"customer":{"full_name":"ann","age":7},"b":2}"#,
            ),
            (
                r#"{"items":[{"id":1},{"no":2}]}"#,
                r#"{"items":[{"key":1},{"no":2}]}"#,
            ),
            // Whoever had the name before goes.
            (r#"{"customer":1,"user":2}"#, r#"{"customer":2}"#),
            (r#"{"user":2,"customer":1}"#, r#"{"customer":2}"#),
            (r#"{"customer":1}"#, r#"{"customer":1}"#),
        ],
    );
    check(
        r#"{"rename": {"a": "b", "b": "a"}}"#,
        &[
            (r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
        ],
    );
    check(
        r#"{"rename": {"a": "sa\"y"}}"#,
        &[(r#"{"a":1}"#, r#"{"sa\"y":1}"#)],
    );
}

#[test]
fn fields_are_set_and_added() {
    check(
        r#"{"set": {"source": "gateway", "user.role": null, "items[].seen": true, "list[]": 0, "all.*": 1}}"#,
        &[
            (
                r#"{"source":"x","user":{"role":"admin"}}"#,
                r#"{"source":"gateway","user":{"role":null}}"#,
            ),
            ("{}", r#"{"source":"gateway","user":{"role":null}}"#),
            (
                r#"{"source":1,"user":7,"items":[{},{"seen":1},3],"list":[1,[2]],"all":{"a":2,"b":{}}}"#,
                r#"{"source":"gateway","user":7,"items":[{"seen":true},{"seen":true},3],"list":[0,0],"all":{"a":1,"b":1}}"#,
            ),
            ("[1]", "[1]"),
            ("7", "7"),
        ],
    );
    check(
        r#"{"add": {"id": 0, "meta.at": {"x": [1, 2]}, "items[].n": ""}}"#,
        &[
            (
                r#"{"id":7,"meta":{}}"#,
                r#"{"id":7,"meta":{"at":{"x": [1, 2]}}}"#,
            ),
            (
                r#"{"items":[{"n":1},{}]}"#,
                r#"{"items":[{"n":1},{"n":""}],"id":0,"meta":{"at":{"x": [1, 2]}}}"#,
            ),
            (
                r#"{"id":null,"meta":{"at":null}}"#,
                r#"{"id":null,"meta":{"at":null}}"#,
            ),
        ],
    );
}

#[test]
fn one_kind_of_change_comes_after_the_other() {
    check(
        r#"{"add": {"d": 4, "c": 0}, "set": {"c": 3}, "rename": {"a": "b"}, "remove": ["b"]}"#,
        &[(r#"{"b":0,"a":1}"#, r#"{"b":1,"c":3,"d":4}"#)],
    );
    check(
        r#"{"rename": {"user": "customer"}, "set": {"customer.x": 1}, "remove": ["user.y"]}"#,
        &[(r#"{"user":{"y":2}}"#, r#"{"customer":{"x":1}}"#)],
    );
}

#[test]
fn what_is_said_of_a_name_comes_before_what_is_said_of_all() {
    check(
        r#"{"set": {"*": 0, "a": 1}}"#,
        &[
            (r#"{"x":9,"a":9}"#, r#"{"x":0,"a":1}"#),
            ("{}", r#"{"a":1}"#),
        ],
    );
}

#[test]
fn a_name_that_is_there_twice_is_not_missed() {
    check(
        r#"{"remove": ["a", "o.a"]}"#,
        &[
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"b":2}"#),
            (
                r#"{"o":{"a":1},"o":{"a":2,"b":3}}"#,
                r#"{"o":{},"o":{"b":3}}"#,
            ),
        ],
    );
    check(
        r#"{"set": {"a": 0}}"#,
        &[(r#"{"a":1,"b":2,"a":3,"b":4}"#, r#"{"b":2,"a":0,"b":4}"#)],
    );
    check(
        r#"{"rename": {"a": "c"}}"#,
        &[(r#"{"a":1,"c":2,"a":3,"c":4}"#, r#"{"c":3}"#)],
    );
    check(
        r#"{"add": {"a": 0}}"#,
        &[(r#"{"a":1,"a":3}"#, r#"{"a":1,"a":3}"#)],
    );
    check(
        r#"{"set": {"*": 0}}"#,
        &[(r#"{"a":1,"a":3}"#, r#"{"a":0,"a":0}"#)],
    );
}

#[test]
fn a_name_is_the_same_however_it_is_written() {
    check(
        r#"{"remove": ["café", "a\\.b", "q\"q"]}"#,
        &[
            (r#"{"caf\u00e9":1,"caf\u00E9 ":2}"#, r#"{"caf\u00E9 ":2}"#),
            (r#"{"\u0061.b":1,"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
            (
                r#"{"q\"q":1,"\ud800":2,"caf\u00e9\/":3}"#,
                r#"{"\ud800":2,"caf\u00e9\/":3}"#,
            ),
        ],
    );
}
