//! Which hooks an `impl` has, and the mistakes that can be named right there.

use syn::{Error, ImplItem, ImplItemFn, ItemImpl, Result};

const ALL: &str = "`configure`, `on_request`, `on_response`, `on_completion`, \
                   `instances_changed`, `pick`";

/// The hooks' functions, as far as they exist.
#[derive(Default)]
pub(crate) struct Hooks<'a> {
    pub(crate) configure: Option<&'a ImplItemFn>,
    pub(crate) request: Option<&'a ImplItemFn>,
    pub(crate) response: Option<&'a ImplItemFn>,
    pub(crate) completion: Option<&'a ImplItemFn>,
    pub(crate) instances_changed: Option<&'a ImplItemFn>,
    pub(crate) pick: Option<&'a ImplItemFn>,
}

impl<'a> Hooks<'a> {
    /// Looks at the functions of an `impl`.
    pub(crate) fn of(item: &'a ItemImpl) -> Result<Self> {
        let mut hooks = Self::default();
        for item in &item.items {
            let ImplItem::Fn(function) = item else {
                continue;
            };
            hooks.note(function)?;
        }
        hooks.check(item)?;
        Ok(hooks)
    }

    fn note(&mut self, function: &'a ImplItemFn) -> Result<()> {
        let name = &function.sig.ident;
        let place = match name.to_string().as_str() {
            "configure" => &mut self.configure,
            "on_request" => &mut self.request,
            "on_response" => &mut self.response,
            "on_completion" => &mut self.completion,
            "instances_changed" => &mut self.instances_changed,
            "pick" => &mut self.pick,
            other if other.starts_with("on_") => {
                let message =
                    format!("`{other}` is no hook and would never be called; the hooks are {ALL}");
                return Err(Error::new(name.span(), message));
            }
            _ => return Ok(()),
        };
        *place = Some(function);
        check_shape(function)
    }

    fn check(&self, item: &ItemImpl) -> Result<()> {
        match (self.instances_changed, self.pick) {
            (Some(alone), None) => {
                return Err(Error::new(
                    alone.sig.ident.span(),
                    "a balancer needs both hooks: `pick` is missing",
                ));
            }
            (None, Some(alone)) => {
                return Err(Error::new(
                    alone.sig.ident.span(),
                    "a balancer needs both hooks: `instances_changed` is missing",
                ));
            }
            _ => {}
        }
        let any = [self.request, self.response, self.completion, self.pick];
        if any.iter().all(Option::is_none) {
            let message = format!("this `impl` has no hook to be called; the hooks are {ALL}");
            return Err(Error::new_spanned(&item.self_ty, message));
        }
        Ok(())
    }
}

/// Wrong arguments are said here in one sentence; wrong types the compiler
/// says itself, at the hook.
fn check_shape(function: &ImplItemFn) -> Result<()> {
    let signature = &function.sig;
    let name = signature.ident.to_string();
    let wanted = match name.as_str() {
        "configure" => "fn configure(config: Config) -> Result<Self>",
        "on_completion" => {
            "fn on_completion(&mut self, exchange: &mut Exchange, outcome: &Outcome)"
        }
        "instances_changed" => "fn instances_changed(&mut self, instances: Vec<Instance>)",
        "pick" => "fn pick(&mut self, exchange: &mut Exchange, attempt: u32) -> Option<u32>",
        "on_request" => "fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict>",
        _ => "fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict>",
    };
    let arguments = match name.as_str() {
        "configure" => 1,
        "on_completion" | "pick" => 3,
        _ => 2,
    };
    let method = signature.receiver().is_some();
    let fits = signature.inputs.len() == arguments
        && method == (name != "configure")
        && signature.asyncness.is_none();
    if fits {
        return Ok(());
    }
    let message = format!("its form is `{wanted}`");
    Err(Error::new_spanned(signature, message))
}
