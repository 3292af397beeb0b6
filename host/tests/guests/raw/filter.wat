;; A filter by hand, for what no compiler makes. What a core module consists of
;; stands in place of the word below; its function `run` is the request hook and
;; returns a verdict as a number, of which 0 is to go on.
(component
  (core module $module
    @MODULE@
  )
  (core instance $core (instantiate $module))
  (type $verdict (enum "next" "respond" "fail"))
  (func $run (result $verdict) (canon lift (core func $core "run")))
  ;; An interface has to export the types that its functions name, which takes
  ;; a component of its own.
  (component $interface
    (type $enum (enum "next" "respond" "fail"))
    (import "verdict-type" (type $imported (eq $enum)))
    (import "run" (func $run (result $imported)))
    (export $verdict "verdict" (type $imported))
    (export "on-request" (func $run) (func (result $verdict)))
  )
  (instance $hook (instantiate $interface
    (with "verdict-type" (type $verdict))
    (with "run" (func $run))))
  (export "portcullis:gateway/request@0.1.0" (instance $hook))
)
