"""A submission with the mistakes that students commonly make, each of which a grader should name."""

from tests.submissions.right import RIGHT

WRONG = RIGHT | {
    # The kernel is flipped, as in mathematics.
    "task1_convolution": RIGHT["task1_convolution"].replace("K[:, :, :, f]", "K[::-1, ::-1, :, f]"),
    # A loop over rows is left.
    "task1_matrix": """
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    rows, columns = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((rows, columns, q))
    for i in range(rows):
        windows = np.lib.stride_tricks.sliding_window_view(X[i:i + k], (k, k), axis=(0, 1))[0]
        M[i] = np.einsum("jdab,abdq->jq", windows, K)
    return M
""",
    # Bonus left out: the release's own cell.
    "task1_same": "def convolution_same(X, K, q: int):\n    return np.zeros((X.shape[0], X.shape[1], K.shape[-1]))",
    # The right size by other padding than required.
    "task2_case_1": "case_1 = nn.Conv2d(in_channels=3, out_channels=64, padding=0, dilation=1, kernel_size=8, stride=4)",
    # One pixel off.
    "task2_case_2": "case_2 = nn.Conv2d(in_channels=1, out_channels=1, padding=0, dilation=1, kernel_size=(3, 3), stride=(1, 2))",
    # No activation after the second convolution, and percent for a fraction.
    "task3_model": RIGHT["task3_model"].replace(
        "F.relu(norm(conv(x)))", "F.relu(norm(conv(x))) if i == 0 else norm(conv(x))"
    ),
    "task3_training": RIGHT["task3_training"].replace(
        '"accuracy": accuracy_score(labels, scores.argmax(1)),',
        '"accuracy": 100 * accuracy_score(labels, scores.argmax(1)),',
    ),
    # A name that is not defined.
    "task4_exp2": 'fit("gap", Netz(pool=F.max_pool2d, gap=True), lr=0.01)',
    # Plain dropout is not 2-D dropout.
    "task4_exp3": """
class Dropped(Net):
    def forward(self, x):
        return self.out(F.dropout(self.maps(x), 0.2, self.training).mean((2, 3)))


fit("regularized", Dropped(pool=F.max_pool2d, gap=True), lr=0.01)
""",
    # A copied training loop.
    "task4_exp4": """
deep = Net((12, 24, 32), pool=F.max_pool2d, gap=True, norm=True)
optimizer = optim.Adam(deep.parameters(), lr=0.01)
for x, y in DataLoader(trainset, batch_size=50, shuffle=True):
    optimizer.zero_grad()
    F.cross_entropy(deep(x), y).backward()
    optimizer.step()
models["deep"] = deep
""",
    # Only padding is away from its default.
    "task4_exp5": 'fit("custom", Net(pool=F.max_pool2d, gap=True, norm=True, padding=1), lr=0.01)',
    # The weights of all classes at once.
    "task5_cam": RIGHT["task5_cam"].replace("model.out.weight[class_index]", "model.out.weight.mean(0)"),
}
