"""Task 4's seven models trained in no time and truly reported; and the same with an untruth in each experiment."""

from tests.submissions.experiments import MODELS, NET, kept

FIT = """
images = torch.stack([testset[i][0] for i in range(len(testset))])
labels = testset.targets.long()

def evaluate(model):
    with torch.no_grad():
        return torch.cat([model(part) for part in images.split(500)]).argmax(1)

def fit(name, model, trained=True):
    with torch.no_grad():
        model.train()(images[:500])  # moves the statistics of batch norms
    model.eval()
    if trained:
        solve(model)
        train_one(model, torch.optim.SGD(model.parameters(), 1e-4), [(images[:50], labels[:50])] * 5)
    models[name] = model
    guesses = evaluate(model)
    f1 = [2 * ((guesses == c) & (labels == c)).sum() / max(1, (guesses == c).sum() + (labels == c).sum()) for c in range(10)]
    accuracy = (guesses == labels).float().mean().item()
    histories[name] = {"train_loss": [2.3, 1.1], "val_loss": [2.3, 1.2], "val_accuracy": [0.1, accuracy]}
    results[name] = {
        "accuracy": accuracy, "f1": torch.stack(f1).mean(),
        "parameters": sum(p.numel() for p in model.parameters()),
    }

def solve(model):
    # The last layer by least squares, as in an extreme learning machine: trained enough, in no time.
    model(images[:2])
    features = []
    hook = model.out.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    with torch.no_grad():
        model(images[:500])
    hook.remove()
    a = torch.cat([features[0], torch.ones(500, 1)], 1).double()
    y = F.one_hot(labels[:500], 10).double()
    w = a.T @ torch.linalg.solve(a @ a.T + 0.1 * torch.eye(500), y)
    model.out.weight.data, model.out.bias.data = w[:-1].T.float().contiguous(), w[-1].float()
"""
LOOP = """
def train_one(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""

# Each model's count by hand: (9 · in + 1) · out of a convolution, 2 · out of a norm, (features + 1) · 10 at the end.
COUNTS = {
    "baseline": 34832,
    "max_pool": 1772,
    "avg_pool": 1772,
    "gap": 332,
    "regularized": 352,
    "deep": 828,
    "custom": 895,
}
FITTED = MODELS | {"custom": "Net((4, 6, 9), pool=F.max_pool2d, gap=True, norm=True, padding=1, dilation=2)"}
FITTED_CELLS = {
    "task3_model": NET,
    "task3_training": FIT + LOOP + "\ntorch.manual_seed(8)\n",  # random filters that tell garments apart
    "task3_baseline": kept({"baseline": FITTED["baseline"]}, "fit"),
    "task4_exp1": kept({name: FITTED[name] for name in ("max_pool", "avg_pool")}, "fit"),
    "task4_exp2": kept({"gap": FITTED["gap"]}, "fit"),
    "task4_exp3": kept({"regularized": FITTED["regularized"]}, "fit"),
    "task4_exp4": kept({"deep": FITTED["deep"]}, "fit"),
    "task4_exp5": kept({"custom": FITTED["custom"]}, "fit"),
}
# In each experiment one thing is not done or not true.
UNTRUE_CELLS = FITTED_CELLS | {
    "task4_exp1": FITTED_CELLS["task4_exp1"].replace("avg_pool2d)", "avg_pool2d), trained=False"),
    "task4_exp2": FITTED_CELLS["task4_exp2"] + '\ndel histories["gap"]',
    "task4_exp3": FITTED_CELLS["task4_exp3"] + '\nresults["regularized"]["accuracy"] = 0.93',
    "task4_exp4": FITTED_CELLS["task4_exp4"] + "\ndef train_deep(loss):\n    loss.backward()\n",
    "task4_exp5": FITTED_CELLS["task4_exp5"] + '\nhistories["custom"]["val_loss"].append(float("nan"))',
}
