#include "textflag.h"

// Six rows of c with eight columns, of twelve rows and sixteen columns: two registers hold a row.

#define LOAD(p, q) \
	VMOVUPD (R11), p   \
	VMOVUPD 32(R11), q \
	ADDQ    R9, R11

#define STORE(p, q) \
	VMOVUPD p, (DX)   \
	VMOVUPD q, 32(DX) \
	ADDQ    R9, DX

#define MULADD(x, t, p, q) \
	VBROADCASTSD x, t       \
	VFMADD231PD  Y12, t, p  \
	VFMADD231PD  Y13, t, q

#define ALL(do) \
	do(Y0, Y1) \
	do(Y2, Y3) \
	do(Y4, Y5) \
	do(Y6, Y7) \
	do(Y8, Y9) \
	do(Y10, Y11)

// func multiply256(k uintptr, a, b, c *float64, ldc uintptr)
TEXT ·multiply256(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DI
	MOVQ c+24(FP), DX
	MOVQ ldc+32(FP), R9
	MOVQ DX, R11
	ALL(LOAD)
	TESTQ CX, CX
	JZ    done
loop:
	VMOVUPD (DI), Y12
	VMOVUPD 32(DI), Y13
	MULADD((SI), Y14, Y0, Y1)
	MULADD(8(SI), Y15, Y2, Y3)
	MULADD(16(SI), Y14, Y4, Y5)
	MULADD(24(SI), Y15, Y6, Y7)
	MULADD(32(SI), Y14, Y8, Y9)
	MULADD(40(SI), Y15, Y10, Y11)
	ADDQ $96, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
done:
	ALL(STORE)
	VZEROUPPER
	RET
