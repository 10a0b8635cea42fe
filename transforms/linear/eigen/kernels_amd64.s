#include "textflag.h"

// Eight rows of a, of which SI, SI+lda, … SI+7·lda are the places: R10 is three rows on, R11 six.
#define ROWS \
	LEAQ (SI)(R8*2), R10  \
	ADDQ R8, R10          \
	LEAQ (R10)(R8*2), R11 \
	ADDQ R8, R11

#define NEXT \
	ADDQ $64, SI  \
	ADDQ $64, R10 \
	ADDQ $64, R11

#define CLEAR \
	VPXORQ Z0, Z0, Z0 \
	VPXORQ Z1, Z1, Z1 \
	VPXORQ Z2, Z2, Z2 \
	VPXORQ Z3, Z3, Z3 \
	VPXORQ Z4, Z4, Z4 \
	VPXORQ Z5, Z5, Z5 \
	VPXORQ Z6, Z6, Z6 \
	VPXORQ Z7, Z7, Z7

#define KEEP \
	VMOVUPD Z0, (R9)    \
	VMOVUPD Z1, 64(R9)  \
	VMOVUPD Z2, 128(R9) \
	VMOVUPD Z3, 192(R9) \
	VMOVUPD Z4, 256(R9) \
	VMOVUPD Z5, 320(R9) \
	VMOVUPD Z6, 384(R9) \
	VMOVUPD Z7, 448(R9)

// FACTORS are eight numbers at AX.
#define FACTORS \
	VBROADCASTSD (AX), Z8    \
	VBROADCASTSD 8(AX), Z9   \
	VBROADCASTSD 16(AX), Z10 \
	VBROADCASTSD 24(AX), Z11 \
	VBROADCASTSD 32(AX), Z12 \
	VBROADCASTSD 40(AX), Z13 \
	VBROADCASTSD 48(AX), Z14 \
	VBROADCASTSD 56(AX), Z15

// BOTH is one row: t holds eight of its elements, Z16 those of x, Z17 those of y.
#define BOTH(place, t, sum, factor) \
	VMOVUPD     place, t         \
	VFMADD231PD t, Z16, sum      \
	VFMADD231PD t, factor, Z17

// BEHIND makes mask k of lanes from s on.
#define BEHIND(s, k) \
	MOVL  $(0xff<<s)&0xff, AX \
	KMOVW AX, k

// CORNER is BOTH for a row on the diagonal: its sum is of the lanes that k has, y gets those of on.
#define CORNER(place, t, sum, k, factor, on) \
	VMOVUPD     place, t           \
	VFMADD231PD t, Z16, k, sum     \
	VFMADD231PD t, factor, on, Z17

// func upperAVX512(a *float64, lda uintptr, n uintptr, x, y *float64, sums *[64]float64)
TEXT ·upperAVX512(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), SI
	MOVQ lda+8(FP), R8
	MOVQ n+16(FP), CX
	MOVQ x+24(FP), BX
	MOVQ y+32(FP), DX
	MOVQ sums+40(FP), R9
	BEHIND(1, K1)
	BEHIND(2, K2)
	BEHIND(3, K3)
	BEHIND(4, K4)
	BEHIND(5, K5)
	BEHIND(6, K6)
	BEHIND(7, K7)
	MOVQ BX, AX
	ROWS
	CLEAR
	FACTORS
	VMOVUPD (BX), Z16
	VMOVUPD (DX), Z17
	VMOVUPD (SI), Z18
	VFMADD231PD Z18, Z16, K1, Z0
	VFMADD231PD Z18, Z8, Z17
	CORNER((SI)(R8*1), Z19, Z1, K2, Z9, K1)
	CORNER((SI)(R8*2), Z20, Z2, K3, Z10, K2)
	CORNER((R10), Z21, Z3, K4, Z11, K3)
	CORNER((R10)(R8*1), Z22, Z4, K5, Z12, K4)
	CORNER((R10)(R8*2), Z23, Z5, K6, Z13, K5)
	CORNER((R11), Z24, Z6, K7, Z14, K6)
	VMOVUPD (R11)(R8*1), Z25
	VFMADD231PD Z25, Z15, K7, Z17
	JMP  next
upper:
	VMOVUPD (BX), Z16
	VMOVUPD (DX), Z17
	BOTH((SI), Z18, Z0, Z8)
	BOTH((SI)(R8*1), Z19, Z1, Z9)
	BOTH((SI)(R8*2), Z20, Z2, Z10)
	BOTH((R10), Z21, Z3, Z11)
	BOTH((R10)(R8*1), Z22, Z4, Z12)
	BOTH((R10)(R8*2), Z23, Z5, Z13)
	BOTH((R11), Z24, Z6, Z14)
	BOTH((R11)(R8*1), Z25, Z7, Z15)
next:
	VMOVUPD Z17, (DX)
	NEXT
	ADDQ $64, BX
	ADDQ $64, DX
	DECQ CX
	JNZ  upper
	KEEP
	VZEROUPPER
	RET

// func rowAVX512(a *float64, n uintptr, x, y *float64, f float64, sums *[8]float64)
TEXT ·rowAVX512(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ x+16(FP), BX
	MOVQ y+24(FP), DX
	VBROADCASTSD f+32(FP), Z8
	MOVQ sums+40(FP), R9
	VPXORQ Z0, Z0, Z0
row:
	VMOVUPD (BX), Z16
	VMOVUPD (DX), Z17
	BOTH((SI), Z18, Z0, Z8)
	VMOVUPD Z17, (DX)
	ADDQ $64, SI
	ADDQ $64, BX
	ADDQ $64, DX
	DECQ CX
	JNZ  row
	VMOVUPD Z0, (R9)
	VZEROUPPER
	RET

// func dotsAVX512(a *float64, lda uintptr, n uintptr, x *float64, sums *[64]float64)
TEXT ·dotsAVX512(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), SI
	MOVQ lda+8(FP), R8
	MOVQ n+16(FP), CX
	MOVQ x+24(FP), BX
	MOVQ sums+32(FP), R9
	ROWS
	CLEAR
dots:
	VMOVUPD (BX), Z16
	VFMADD231PD (SI), Z16, Z0
	VFMADD231PD (SI)(R8*1), Z16, Z1
	VFMADD231PD (SI)(R8*2), Z16, Z2
	VFMADD231PD (R10), Z16, Z3
	VFMADD231PD (R10)(R8*1), Z16, Z4
	VFMADD231PD (R10)(R8*2), Z16, Z5
	VFMADD231PD (R11), Z16, Z6
	VFMADD231PD (R11)(R8*1), Z16, Z7
	NEXT
	ADDQ $64, BX
	DECQ CX
	JNZ  dots
	KEEP
	VZEROUPPER
	RET

// func addAVX512(a *float64, lda uintptr, n uintptr, y *float64, f *[8]float64)
TEXT ·addAVX512(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), SI
	MOVQ lda+8(FP), R8
	MOVQ n+16(FP), CX
	MOVQ y+24(FP), DX
	MOVQ f+32(FP), AX
	ROWS
	FACTORS
add:
	VMOVUPD (DX), Z17
	VFMADD231PD (SI), Z8, Z17
	VFMADD231PD (SI)(R8*1), Z9, Z17
	VFMADD231PD (SI)(R8*2), Z10, Z17
	VFMADD231PD (R10), Z11, Z17
	VFMADD231PD (R10)(R8*1), Z12, Z17
	VFMADD231PD (R10)(R8*2), Z13, Z17
	VFMADD231PD (R11), Z14, Z17
	VFMADD231PD (R11)(R8*1), Z15, Z17
	VMOVUPD Z17, (DX)
	NEXT
	ADDQ $64, DX
	DECQ CX
	JNZ  add
	VZEROUPPER
	RET
