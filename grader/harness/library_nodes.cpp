// What libstdc++ keeps in an object of its own, where no race detector looks: the linking of the
// nodes of std::list, and of std::map and std::set. Compiled as a submission is, these stand in for
// the library's, so that `if (waiters.empty())` without the lock is the race that it is.
#include <dlfcn.h>
#include <list>
#include <map>
#include <utility>

#if _GLIBCXX_RELEASE < 15  // what later ones leave out of line is not known here

extern "C" {
void __tsan_write8(void* address);  // ThreadSanitizer's, or the explorer's
}

namespace {

using Tree = std::_Rb_tree_node_base;
using Insert = void (*)(bool, Tree*, Tree*, Tree&);
using Erase = Tree* (*)(Tree*, Tree&);

Insert librarys_insert;
Erase librarys_erase;

// Before any object of the program is made, as one may be a map.
__attribute__((constructor(101))) void find_the_librarys() {
  librarys_insert = reinterpret_cast<Insert>(
      dlsym(RTLD_NEXT, "_ZSt29_Rb_tree_insert_and_rebalancebPSt18_Rb_tree_node_baseS0_RS_"));
  librarys_erase = reinterpret_cast<Erase>(
      dlsym(RTLD_NEXT, "_ZSt28_Rb_tree_rebalance_for_erasePSt18_Rb_tree_node_baseRS_"));
}

// Rebalancing may change any node; who looks at the tree meanwhile comes by these.
void wrote(Tree& node) {
  __tsan_write8(&node._M_parent);
  __tsan_write8(&node._M_left);
  __tsan_write8(&node._M_right);
}

Tree* node_after(Tree* node) {
  if (node->_M_right != nullptr) {
    node = node->_M_right;
    while (node->_M_left != nullptr) node = node->_M_left;
    return node;
  }
  Tree* parent = node->_M_parent;
  while (node == parent->_M_right) {
    node = parent;
    parent = parent->_M_parent;
  }
  // The header of a tree with one node is its own right neighbour's parent.
  return node->_M_right != parent ? parent : node;
}

Tree* node_before(Tree* node) {
  const bool header = node->_M_color == std::_S_red && node->_M_parent->_M_parent == node;
  if (header) return node->_M_right;
  if (node->_M_left != nullptr) {
    node = node->_M_left;
    while (node->_M_right != nullptr) node = node->_M_right;
    return node;
  }
  Tree* parent = node->_M_parent;
  while (node == parent->_M_left) {
    node = parent;
    parent = parent->_M_parent;
  }
  return parent;
}

}  // namespace

namespace std {

Tree* _Rb_tree_increment(Tree* node) noexcept { return node_after(node); }
const Tree* _Rb_tree_increment(const Tree* node) noexcept {
  return node_after(const_cast<Tree*>(node));
}
Tree* _Rb_tree_decrement(Tree* node) noexcept { return node_before(node); }
const Tree* _Rb_tree_decrement(const Tree* node) noexcept {
  return node_before(const_cast<Tree*>(node));
}

void _Rb_tree_insert_and_rebalance(bool left, Tree* node, Tree* parent, Tree& header) noexcept {
  wrote(header);
  wrote(*parent);
  librarys_insert(left, node, parent, header);
}

Tree* _Rb_tree_rebalance_for_erase(Tree* node, Tree& header) noexcept {
  wrote(header);
  wrote(*node);
  wrote(*node->_M_parent);
  return librarys_erase(node, header);
}

namespace __detail {

void _List_node_base::_M_hook(_List_node_base* position) noexcept {
  _M_next = position;
  _M_prev = position->_M_prev;
  position->_M_prev->_M_next = this;
  position->_M_prev = this;
}

void _List_node_base::_M_unhook() noexcept {
  _M_prev->_M_next = _M_next;
  _M_next->_M_prev = _M_prev;
}

void _List_node_base::_M_transfer(_List_node_base* first, _List_node_base* last) noexcept {
  if (this == last) return;
  _List_node_base* const before_first = first->_M_prev;
  last->_M_prev->_M_next = this;
  before_first->_M_next = last;
  _M_prev->_M_next = first;
  first->_M_prev = _M_prev;
  _M_prev = std::exchange(last->_M_prev, before_first);
}

void _List_node_base::_M_reverse() noexcept {
  _List_node_base* node = this;
  do {
    std::swap(node->_M_next, node->_M_prev);
    node = node->_M_prev;
  } while (node != this);
}

void _List_node_base::swap(_List_node_base& a, _List_node_base& b) noexcept {
  const bool a_had_some = a._M_next != &a;
  const bool b_had_some = b._M_next != &b;
  std::swap(a._M_next, b._M_next);
  std::swap(a._M_prev, b._M_prev);
  if (a_had_some) {
    b._M_next->_M_prev = b._M_prev->_M_next = &b;
  } else {
    b._M_next = b._M_prev = &b;
  }
  if (b_had_some) {
    a._M_next->_M_prev = a._M_prev->_M_next = &a;
  } else {
    a._M_next = a._M_prev = &a;
  }
}

}  // namespace __detail
}  // namespace std

#endif
