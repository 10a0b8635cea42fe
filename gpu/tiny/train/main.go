package main

const initialStd = 0.02

func main() {}
