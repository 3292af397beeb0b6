;; Traps if its memory or its table is not as a fresh one is, and then leaves a
;; secret in both: whoever gets them next and sees it traps.
(memory 32)
(table $table 100 funcref)
(elem declare func $run)
(func $run (export "run") (result i32)
  (local $at i32)
  (loop $next
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 0x200000))))
  (if (i32.eqz (ref.is_null (table.get $table (i32.const 99)))) (then (unreachable)))
  (memory.fill (i32.const 0) (i32.const @SECRET@) (i32.const 0x200000))
  (table.set $table (i32.const 99) (ref.func $run))
  (i32.const 0))
