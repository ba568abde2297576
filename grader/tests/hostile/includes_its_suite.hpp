// expect: refused : the tests it is judged by
#pragma once
#include "suite.cpp"
