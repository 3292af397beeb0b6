//! When an instance of a request's own has no hook left.

use super::*;

#[test]
fn an_instance_is_kept_for_every_hook_that_is_left() {
    let request = Hooks {
        request: true,
        ..Hooks::default()
    };
    let response = Hooks {
        response: true,
        ..request
    };
    for (hooks, ends_with) in [
        (request, Some(Hook::Request)),
        (response, Some(Hook::Response)),
        (
            Hooks {
                completion: true,
                ..response
            },
            None,
        ),
        (
            Hooks {
                request_body: true,
                ..request
            },
            None,
        ),
        (
            Hooks {
                response_body: true,
                ..request
            },
            None,
        ),
        (
            Hooks {
                request_buffered: true,
                ..response
            },
            None,
        ),
        (
            Hooks {
                response_buffered: true,
                ..response
            },
            None,
        ),
    ] {
        for hook in [Hook::Request, Hook::Response] {
            let expected = ends_with == Some(hook) || hook == Hook::Response && ends_with.is_some();
            assert_eq!(hooks.end_with(hook), expected, "{hooks:?} {hook:?}");
        }
    }
}
