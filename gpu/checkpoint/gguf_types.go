package checkpoint

// ggmlTypes are the stored types of GGUF that are read, by their number in ggml.h.
var ggmlTypes = map[uint32]codec{
	0:  plainCodecs["F32"],
	1:  plainCodecs["F16"],
	2:  {"Q4_0", legacy, 18, decodeQ4_0},
	3:  {"Q4_1", legacy, 20, decodeQ4_1},
	6:  {"Q5_0", legacy, 22, decodeQ5_0},
	7:  {"Q5_1", legacy, 24, decodeQ5_1},
	8:  {"Q8_0", legacy, 34, decodeQ8_0},
	10: {"Q2_K", super, 84, decodeQ2_K},
	11: {"Q3_K", super, 110, decodeQ3_K},
	12: {"Q4_K", super, 144, decodeQ4_K},
	13: {"Q5_K", super, 176, decodeQ5_K},
	14: {"Q6_K", super, 210, decodeQ6_K},
	30: plainCodecs["BF16"],
}

// otherTypes names the types that are refused.
var otherTypes = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
	20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
	29: "IQ1_M", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4", 40: "NVFP4",
}
