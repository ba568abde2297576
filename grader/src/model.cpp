#include "model.hpp"

#include <utility>

namespace grader {

std::string_view to_string(Flavour flavour) {
  switch (flavour) {
    case Flavour::plain:
      return "plain";
    case Flavour::thread:
      return "thread";
    case Flavour::address:
      return "address";
    case Flavour::explored:
      return "explored";
  }
  std::unreachable();
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::failed:
      return "failed";
    case Outcome::crashed:
      return "crashed";
    case Outcome::hung:
      return "hung";
    case Outcome::raced:
      return "raced";
    case Outcome::sanitizer:
      return "sanitizer";
    case Outcome::tampered:
      return "tampered";
    case Outcome::missing:
      return "missing";
    case Outcome::not_run:
      return "not_run";
    case Outcome::inconclusive:
      return "inconclusive";
  }
  std::unreachable();
}

}  // namespace grader
