;; Loops without end over one bulk instruction that writes all its memory.
(memory 512)
(func (export "run") (result i32)
  (loop $again
    (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x2000000))
    (br $again))
  (unreachable))
