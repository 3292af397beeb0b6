;; Takes memory and uses it until there is no more.
(memory 1)
(func (export "run") (result i32)
  (local $before i32)
  (loop $again
    (local.set $before (memory.grow (i32.const 16)))
    (if (i32.eq (local.get $before) (i32.const -1)) (then (unreachable)))
    (memory.fill
      (i32.mul (local.get $before) (i32.const 65536))
      (i32.const 0x5a)
      (i32.const 0x100000))
    (br $again))
  (unreachable))
