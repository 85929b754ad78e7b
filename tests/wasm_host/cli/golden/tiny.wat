(module $pvm_program
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i64) (result i64)))
  (type (;2;) (func (result i32)))
  (import "pvm" "guest" (memory $guest (;0;) 65536 65536))
  (import "pvm" "engine" (memory $engine (;1;) 1 65536))
  (import "pvm" "sbrk" (func $sbrk (;0;) (type 1)))
  (table (;0;) 1 1 funcref)
  (export "run" (func $run))
  (elem (;0;) (offset i32.const 0) func $region_0)
  (func $run (;1;) (type 2) (result i32)
    (local $code i32) (local $entry i32)
    i32.const 0
    i32.load $engine offset=216
    local.tee $entry
    i32.const 65535
    i32.and
    local.get $entry
    i32.const 16
    i32.shr_u
    call_indirect (type 0)
    local.set $code
    i32.const 0
    i32.const 0
    local.get $code
    local.get $code
    i32.const 7
    i32.eq
    select
    i32.store $engine offset=212
    local.get $code
  )
  (func $region_0 (;2;) (type 0) (param i32) (result i32)
    (local i32 i32 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    i32.const 0
    i64.load $engine offset=56
    local.set 18
    i32.const 0
    i64.load $engine offset=104
    local.set 4
    i32.const 0
    i32.const 1
    i32.store $engine offset=140
    i32.const 0
    i32.const 0
    i32.store $engine offset=152
    block
      block
        block (result i32)
          block (result i32)
            block (result i32)
              loop
                block
                  block
                    block
                      local.get 0
                      br_table 0 1
                    end
                    loop
                      i32.const 0
                      local.get 4
                      i64.const 3
                      i64.lt_u
                      br_if 6
                      drop
                      local.get 4
                      i64.const 2
                      i64.sub
                      local.set 4
                      local.get 18
                      i64.const 1
                      i64.add
                      local.set 18
                      local.get 18
                      i64.const 5
                      i64.ne
                      br_if 0
                    end
                    local.get 4
                    i64.const 1
                    i64.sub
                    local.set 4
                    i32.const 7
                    br 3
                    local.get 4
                    i64.const 1
                    i64.sub
                    local.set 4
                    i32.const 8
                    br 3
                  end
                  local.get 2
                  local.get 0
                  i32.const 0
                  i32.add
                  local.tee 0
                  i32.const -1
                  i32.eq
                  br_if 2
                  drop
                  br 6
                end
                local.get 2
                local.get 3
                i32.const 31
                i32.rotl
                i32.const 1
                i32.sub
                local.tee 3
                i32.const 0
                i32.ge_u
                br_if 1
                drop
                local.get 3
                i32.const 2
                i32.shl
                i32.load $engine offset=1179728
                i32.const 0
                i32.add
                local.set 0
                br 0
              end
              unreachable
            end
            local.set 2
            i32.const 0
            i32.load $engine offset=196
            local.get 2
            i32.const 2
            i32.shl
            i32.add
            i32.load $engine
            i32.const -2
            i32.and
            i64.load32_u $engine offset=16
            local.get 4
            i64.add
            local.set 4
            local.get 2
          end
        end
        local.set 2
        i32.const 0
        local.get 2
        i64.extend_i32_u
        i64.store $engine offset=136
        i32.const 7
        local.set 1
      end
      i32.const 0
      local.get 18
      i64.store $engine offset=56
      i32.const 0
      local.get 4
      i64.store $engine offset=104
      local.get 1
      return
    end
    i32.const 0
    local.get 18
    i64.store $engine offset=56
    i32.const 0
    local.get 4
    i64.store $engine offset=104
    i32.const 0
    local.get 0
    i32.store $engine offset=216
    local.get 0
    i32.const 65535
    i32.and
    local.get 0
    i32.const 16
    i32.shr_u
    return_call_indirect (type 0)
  )
  (@custom "metadata.code.branch_hint" "\01\02\01I\01\00")
  (@producers (processed-by "pvm-wasm" "0.1.0"))
)
