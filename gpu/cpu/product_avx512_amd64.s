#include "textflag.h"

// Products of m rows with one panel of 32 columns: c[m][32] = a[m][k]·b[k][32], or c += a·b.
// Two registers hold a row of c, so every element is one chain of FMAs along k (B1). lda and ldc
// are in bytes. SI and what follows it point at rows of a, three rows apart; DI at b, DX at c.

#define ARGS \
	MOVQ a+0(FP), SI    \
	MOVQ lda+8(FP), R8  \
	MOVQ b+16(FP), DI   \
	MOVQ k+24(FP), CX   \
	MOVQ c+32(FP), DX   \
	MOVQ ldc+40(FP), R9 \
	MOVQ more+48(FP), R13

#define ZERO(p, q) \
	VPXORD p, p, p \
	VPXORD q, q, q

#define LOAD(p, q) \
	VMOVUPS (R13), p   \
	VMOVUPS 64(R13), q \
	ADDQ    R9, R13

#define STORE(p, q) \
	VMOVUPS p, (DX)   \
	VMOVUPS q, 64(DX) \
	ADDQ    R9, DX

#define LINE \
	VMOVUPS (DI), Z24   \
	VMOVUPS 64(DI), Z25 \
	ADDQ    $128, DI

#define MULADD(x, t, p, q) \
	VBROADCASTSS x, t       \
	VFMADD231PS  Z24, t, p  \
	VFMADD231PS  Z25, t, q

// func product12x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)
TEXT ·product12x32(SB), NOSPLIT, $0-56
	ARGS
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	LEAQ (R10)(R8*2), R11
	ADDQ R8, R11
	LEAQ (R11)(R8*2), R12
	ADDQ R8, R12
	TESTQ R13, R13
	MOVQ DX, R13
	JNZ  more12
	ZERO(Z0, Z1)
	ZERO(Z2, Z3)
	ZERO(Z4, Z5)
	ZERO(Z6, Z7)
	ZERO(Z8, Z9)
	ZERO(Z10, Z11)
	ZERO(Z12, Z13)
	ZERO(Z14, Z15)
	ZERO(Z16, Z17)
	ZERO(Z18, Z19)
	ZERO(Z20, Z21)
	ZERO(Z22, Z23)
	JMP  loop12
more12:
	LOAD(Z0, Z1)
	LOAD(Z2, Z3)
	LOAD(Z4, Z5)
	LOAD(Z6, Z7)
	LOAD(Z8, Z9)
	LOAD(Z10, Z11)
	LOAD(Z12, Z13)
	LOAD(Z14, Z15)
	LOAD(Z16, Z17)
	LOAD(Z18, Z19)
	LOAD(Z20, Z21)
	LOAD(Z22, Z23)
loop12:
	LINE
	MULADD((SI), Z26, Z0, Z1)
	MULADD((SI)(R8*1), Z27, Z2, Z3)
	MULADD((SI)(R8*2), Z28, Z4, Z5)
	MULADD((R10), Z29, Z6, Z7)
	MULADD((R10)(R8*1), Z30, Z8, Z9)
	MULADD((R10)(R8*2), Z31, Z10, Z11)
	MULADD((R11), Z26, Z12, Z13)
	MULADD((R11)(R8*1), Z27, Z14, Z15)
	MULADD((R11)(R8*2), Z28, Z16, Z17)
	MULADD((R12), Z29, Z18, Z19)
	MULADD((R12)(R8*1), Z30, Z20, Z21)
	MULADD((R12)(R8*2), Z31, Z22, Z23)
	ADDQ $4, SI
	ADDQ $4, R10
	ADDQ $4, R11
	ADDQ $4, R12
	DECQ CX
	JNZ  loop12
	STORE(Z0, Z1)
	STORE(Z2, Z3)
	STORE(Z4, Z5)
	STORE(Z6, Z7)
	STORE(Z8, Z9)
	STORE(Z10, Z11)
	STORE(Z12, Z13)
	STORE(Z14, Z15)
	STORE(Z16, Z17)
	STORE(Z18, Z19)
	STORE(Z20, Z21)
	STORE(Z22, Z23)
	VZEROUPPER
	RET

// func product8x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)
TEXT ·product8x32(SB), NOSPLIT, $0-56
	ARGS
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	LEAQ (R10)(R8*2), R11
	ADDQ R8, R11
	TESTQ R13, R13
	MOVQ DX, R13
	JNZ  more8
	ZERO(Z0, Z1)
	ZERO(Z2, Z3)
	ZERO(Z4, Z5)
	ZERO(Z6, Z7)
	ZERO(Z8, Z9)
	ZERO(Z10, Z11)
	ZERO(Z12, Z13)
	ZERO(Z14, Z15)
	JMP  loop8
more8:
	LOAD(Z0, Z1)
	LOAD(Z2, Z3)
	LOAD(Z4, Z5)
	LOAD(Z6, Z7)
	LOAD(Z8, Z9)
	LOAD(Z10, Z11)
	LOAD(Z12, Z13)
	LOAD(Z14, Z15)
loop8:
	LINE
	MULADD((SI), Z26, Z0, Z1)
	MULADD((SI)(R8*1), Z27, Z2, Z3)
	MULADD((SI)(R8*2), Z28, Z4, Z5)
	MULADD((R10), Z29, Z6, Z7)
	MULADD((R10)(R8*1), Z30, Z8, Z9)
	MULADD((R10)(R8*2), Z31, Z10, Z11)
	MULADD((R11), Z26, Z12, Z13)
	MULADD((R11)(R8*1), Z27, Z14, Z15)
	ADDQ $4, SI
	ADDQ $4, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  loop8
	STORE(Z0, Z1)
	STORE(Z2, Z3)
	STORE(Z4, Z5)
	STORE(Z6, Z7)
	STORE(Z8, Z9)
	STORE(Z10, Z11)
	STORE(Z12, Z13)
	STORE(Z14, Z15)
	VZEROUPPER
	RET

// func product4x32(a *float32, lda uintptr, b *float32, k uintptr, c *float32, ldc, more uintptr)
TEXT ·product4x32(SB), NOSPLIT, $0-56
	ARGS
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	TESTQ R13, R13
	MOVQ DX, R13
	JNZ  more4
	ZERO(Z0, Z1)
	ZERO(Z2, Z3)
	ZERO(Z4, Z5)
	ZERO(Z6, Z7)
	JMP  loop4
more4:
	LOAD(Z0, Z1)
	LOAD(Z2, Z3)
	LOAD(Z4, Z5)
	LOAD(Z6, Z7)
loop4:
	LINE
	MULADD((SI), Z26, Z0, Z1)
	MULADD((SI)(R8*1), Z27, Z2, Z3)
	MULADD((SI)(R8*2), Z28, Z4, Z5)
	MULADD((R10), Z29, Z6, Z7)
	ADDQ $4, SI
	ADDQ $4, R10
	DECQ CX
	JNZ  loop4
	STORE(Z0, Z1)
	STORE(Z2, Z3)
	STORE(Z4, Z5)
	STORE(Z6, Z7)
	VZEROUPPER
	RET
