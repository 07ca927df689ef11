"""A right submission, written as a student may write it and not as the reference is written."""

TASK_1 = {
    "task1_convolution": """
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    rows, columns = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((rows, columns, q))
    for i in range(rows):
        for j in range(columns):
            window = X[i:i + k, j:j + k, :]
            for f in range(q):
                M[i, j, f] = (window * K[:, :, :, f]).sum()
    return M
""",
    "task1_matrix": """
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))  # (rows, columns, d, k, k)
    rows, columns = windows.shape[:2]
    matrix = windows.transpose(0, 1, 3, 4, 2).reshape(rows * columns, -1)
    return (matrix @ K.reshape(-1, q)).reshape(rows, columns, q)
""",
    "task1_same": """
def convolution_same(X, K, q: int):
    margin = K.shape[0] // 2
    padded = np.pad(np.asarray(X), ((margin, margin), (margin, margin), (0, 0)))
    return convolution(padded, K, q)
""",
}

TASK_2 = {
    "task2_case_1": "case_1 = nn.Conv2d(in_channels=3, out_channels=64, padding=2, dilation=1, kernel_size=11, stride=4)",
    "task2_case_2": """
case_2 = nn.Conv2d(in_channels=1, out_channels=1, padding=0, dilation=1, kernel_size=(3, 1), stride=(1, 2))
""",
    "task2_case_3": "case_3 = nn.Conv2d(in_channels=16, out_channels=16, stride=1, padding=0, kernel_size=3, dilation=2)",
}

TASK_3 = {
    "task3_model": """
class Net(nn.Module):
    def __init__(self, filters=(12, 24), pool=None, gap=False, norm=False, side=11, **options):
        super().__init__()
        self.pool, self.gap = pool, gap
        channels = [IMAGE_SHAPE[0], *filters]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, **options) for a, b in zip(channels, channels[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) if norm else nn.Identity() for b in filters)
        self.out = nn.LazyLinear(10)
        self(torch.zeros(2, *IMAGE_SHAPE))

    def maps(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.relu(norm(conv(x)))
            if self.pool and i < 2:
                x = self.pool(x, 2)
        return x

    def forward(self, x):
        x = self.maps(x)
        x = x.mean((2, 3)) if self.gap else x.flatten(1)
        return self.out(x)
""",
    "task3_training": """
from sklearn.metrics import accuracy_score, f1_score


def predict(model, loader):
    model.eval()
    with torch.no_grad():
        scores = [(model(x.to(DEVICE)).cpu(), y) for x, y in loader]
    return torch.cat([s for s, _ in scores]), torch.cat([y for _, y in scores])


def fit(name, model, epochs=3, lr=0.003):
    torch.manual_seed(7)
    n = len(trainset) // 10
    train, val = random_split(trainset, [len(trainset) - n, n])
    train_loader = DataLoader(train, batch_size=50, shuffle=True)
    val_loader, test_loader = DataLoader(val, batch_size=250), DataLoader(testset, batch_size=250)
    history = {"train_loss": [], "val_loss": [], "val_accuracy": []}
    optimizer = optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        losses = []
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scores, labels = predict(model, val_loader)
        history["train_loss"].append(np.mean(losses))
        history["val_loss"].append(F.cross_entropy(scores, labels).item())
        history["val_accuracy"].append(accuracy_score(labels, scores.argmax(1)))
    scores, labels = predict(model, test_loader)
    models[name], histories[name] = model, history
    results[name] = {
        "accuracy": accuracy_score(labels, scores.argmax(1)),
        "f1": f1_score(labels, scores.argmax(1), average="macro"),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    print(summary(model, input_size=(1, *IMAGE_SHAPE)))
    print(name, results[name])


def curves(*names):
    for name in names:
        plt.plot(histories[name]["train_loss"], label=f"{name}: uczenie")
        plt.plot(histories[name]["val_loss"], "--", label=f"{name}: walidacja")
    plt.xlabel("epoka")
    plt.ylabel("strata")
    plt.legend()
    plt.show()
""",
    "task3_baseline": """
fit("baseline", Net())
curves("baseline")
""",
}

TASK_4 = {
    "task4_exp1": """
fit("max_pool", Net(pool=F.max_pool2d))
fit("avg_pool", Net(pool=F.avg_pool2d))
curves("max_pool", "avg_pool")
""",
    "task4_exp2": 'fit("gap", Net(pool=F.max_pool2d, gap=True), lr=0.01)',
    "task4_exp3": 'fit("regularized", Net(pool=F.max_pool2d, gap=True, norm=True), lr=0.01)',
    "task4_exp4": 'fit("deep", Net((12, 24, 32), pool=F.max_pool2d, gap=True, norm=True), lr=0.01)',
    "task4_exp5": """
fit("custom", Net((12, 24, 32), pool=F.max_pool2d, gap=True, norm=True, padding=1, dilation=2), lr=0.01)
curves("gap", "regularized", "deep", "custom")
""",
    "task4_comparison": "BatchNorm pomógł najbardziej, a sieci z GAP mają najmniej parametrów.",
    "task4_exp5_answer": "Dylatacja powiększa pole recepcyjne bez dodatkowych wag.",
}

TASK_5 = {
    "task5_cam": """
def cam(model, image, class_index):
    model.eval()
    with torch.no_grad():
        maps = model.maps(image.unsqueeze(0))
        heat = (model.out.weight[class_index].reshape(1, -1, 1, 1) * maps).sum(1, keepdim=True)
        heat = F.interpolate(heat, size=image.shape[1:], mode="bilinear")[0, 0].relu()
    return heat / (heat.max() + 1e-8)


for i in range(3):
    image = testset[i][0]
    plt.subplot(1, 3, i + 1)
    plt.imshow(image[0], cmap="gray")
    plt.imshow(cam(models["gap"], image, models["gap"](image[None]).argmax().item()), alpha=0.5)
plt.show()
""",
}

RIGHT = TASK_1 | TASK_2 | TASK_3 | TASK_4 | TASK_5
