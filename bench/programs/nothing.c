/* A program that ends. */
int main(void) { return 0; }
