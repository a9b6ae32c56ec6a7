/* End of the loops of one kind of vector. */

#undef TARGET
#undef OWN
#undef LANES
#undef Lanes
#undef LOAD
#undef STORE
#undef SPREAD
#undef ADD
#undef MULTIPLY
#undef MULTIPLY_ADD
#undef LARGER
#undef SUM
