//! Which hooks an `impl` has, and the mistakes that can be named right there.

use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Result, Type};

/// A hook's function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Configure,
    Start,
    Request,
    RequestBody,
    RequestBuffered,
    Response,
    ResponseBody,
    ResponseBuffered,
    Completion,
    Tick,
    InstancesChanged,
    Pick,
}

/// What a hook's function has to look like.
struct Form {
    kind: Kind,
    name: &'static str,
    text: &'static str,
    /// With `self`.
    arguments: usize,
    /// Whether it may wait, and so be an `async fn`.
    waits: bool,
}

const FORMS: [Form; 12] = [
    Form {
        kind: Kind::Configure,
        name: "configure",
        text: "fn configure(config: Config) -> Result<Self>",
        arguments: 1,
        waits: false,
    },
    Form {
        kind: Kind::Start,
        name: "on_start",
        text: "async fn on_start(&mut self) -> Result<()>",
        arguments: 1,
        waits: true,
    },
    Form {
        kind: Kind::Request,
        name: "on_request",
        text: "fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict>",
        arguments: 2,
        waits: true,
    },
    Form {
        kind: Kind::RequestBody,
        name: "on_request_body",
        text: "fn on_request_body(&mut self, exchange: &mut Exchange, state: &mut State, \
               chunk: &mut Chunk) -> Result<ChunkVerdict>`, with or without `state",
        arguments: 4,
        waits: false,
    },
    Form {
        kind: Kind::RequestBuffered,
        name: "on_request_buffered",
        text: "fn on_request_buffered(&mut self, exchange: &mut Exchange, body: &mut Body) \
               -> Result<Verdict>",
        arguments: 3,
        waits: true,
    },
    Form {
        kind: Kind::Response,
        name: "on_response",
        text: "fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict>",
        arguments: 2,
        waits: true,
    },
    Form {
        kind: Kind::ResponseBody,
        name: "on_response_body",
        text: "fn on_response_body(&mut self, exchange: &mut Exchange, state: &mut State, \
               chunk: &mut Chunk) -> Result<ChunkVerdict>`, with or without `state",
        arguments: 4,
        waits: false,
    },
    Form {
        kind: Kind::ResponseBuffered,
        name: "on_response_buffered",
        text: "fn on_response_buffered(&mut self, exchange: &mut Exchange, body: &mut Body) \
               -> Result<Verdict>",
        arguments: 3,
        waits: true,
    },
    Form {
        kind: Kind::Completion,
        name: "on_completion",
        text: "fn on_completion(&mut self, exchange: &mut Exchange, outcome: &Outcome)",
        arguments: 3,
        waits: false,
    },
    Form {
        kind: Kind::Tick,
        name: "on_tick",
        text: "async fn on_tick(&mut self) -> Result<()>",
        arguments: 1,
        waits: true,
    },
    Form {
        kind: Kind::InstancesChanged,
        name: "instances_changed",
        text: "fn instances_changed(&mut self, instances: Vec<Instance>)",
        arguments: 2,
        waits: false,
    },
    Form {
        kind: Kind::Pick,
        name: "pick",
        text: "fn pick(&mut self, exchange: &mut Exchange, attempt: u32) -> Option<u32>",
        arguments: 3,
        waits: false,
    },
];

/// One hook that was written.
#[derive(Clone, Copy)]
pub(crate) struct Hook<'a> {
    pub(crate) kind: Kind,
    pub(crate) function: &'a ImplItemFn,
    /// The type of what a body hook keeps from one chunk to the next.
    pub(crate) state: Option<&'a Type>,
}

/// The hooks that were written.
#[derive(Default)]
pub(crate) struct Hooks<'a>(Vec<Hook<'a>>);

impl<'a> Hooks<'a> {
    /// Looks at the functions of an `impl`.
    pub(crate) fn of(item: &'a ItemImpl) -> Result<Self> {
        let mut hooks = Self::default();
        for item in &item.items {
            if let ImplItem::Fn(function) = item {
                hooks.0.extend(hook(function)?);
            }
        }
        hooks.check(item)?;
        Ok(hooks)
    }

    /// The hook of a kind, if it was written.
    pub(crate) fn find(&self, kind: Kind) -> Option<Hook<'a>> {
        self.iter().find(|hook| hook.kind == kind)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Hook<'a>> {
        self.0.iter().copied()
    }

    fn check(&self, item: &ItemImpl) -> Result<()> {
        let pair = [Kind::InstancesChanged, Kind::Pick].map(|kind| self.find(kind));
        let missing = match pair {
            [Some(alone), None] => Some((alone, "pick")),
            [None, Some(alone)] => Some((alone, "instances_changed")),
            _ => None,
        };
        if let Some((alone, missing)) = missing {
            let message = format!("a balancer needs both hooks: `{missing}` is missing");
            return Err(Error::new(alone.function.sig.ident.span(), message));
        }
        // What is never handed an exchange does not make a filter.
        let aside = [Kind::Configure, Kind::Start, Kind::Tick];
        if self.iter().all(|hook| aside.contains(&hook.kind)) {
            let message = format!(
                "this `impl` has no hook to be called; the hooks are {}",
                all()
            );
            return Err(Error::new_spanned(&item.self_ty, message));
        }
        Ok(())
    }
}

fn hook(function: &ImplItemFn) -> Result<Option<Hook<'_>>> {
    let name = function.sig.ident.to_string();
    let Some(form) = FORMS.iter().find(|form| name == form.name) else {
        if name.starts_with("on_") {
            let all = all();
            let message =
                format!("`{name}` is no hook and would never be called; the hooks are {all}");
            return Err(Error::new(function.sig.ident.span(), message));
        }
        return Ok(None);
    };
    let state = check_shape(function, form)?;
    Ok(Some(Hook {
        kind: form.kind,
        function,
        state,
    }))
}

/// Wrong arguments are said here in one sentence; wrong types the compiler
/// says itself, at the hook.
fn check_shape<'a>(function: &'a ImplItemFn, form: &Form) -> Result<Option<&'a Type>> {
    let signature = &function.sig;
    let wrong = || {
        let message = format!("its form is `{}`", form.text);
        Error::new_spanned(signature, message)
    };
    if signature.asyncness.is_some() && !form.waits {
        let message = format!("this hook cannot wait: its form is `{}`", form.text);
        return Err(Error::new_spanned(signature, message));
    }
    let is_body = matches!(form.kind, Kind::RequestBody | Kind::ResponseBody);
    let arguments = signature.inputs.len();
    let method = signature.receiver().is_some();
    if method != (form.kind != Kind::Configure)
        || arguments != form.arguments && !(is_body && arguments == 3)
    {
        return Err(wrong());
    }
    if !is_body || arguments == 3 {
        return Ok(None);
    }
    match &signature.inputs[2] {
        FnArg::Typed(state) => match &*state.ty {
            Type::Reference(state) if state.mutability.is_some() => Ok(Some(&state.elem)),
            _ => Err(wrong()),
        },
        FnArg::Receiver(_) => Err(wrong()),
    }
}

fn all() -> String {
    let names: Vec<String> = FORMS
        .iter()
        .map(|form| format!("`{}`", form.name))
        .collect();
    names.join(", ")
}
