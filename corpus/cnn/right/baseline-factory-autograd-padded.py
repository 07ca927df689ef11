# /// row
# summary = "Task 3: a factory of Sequential networks, CAM by a hook; an optimiser of its own on torch.autograd.grad; images padded and normalised"
# right = ["task3_architecture_tests", "task3_training_tests", "task3_accuracy_tests"]
# ///

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.Pad(2), transforms.ToTensor(), transforms.Normalize([0.286], [0.353])])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
def siec(pool=None, gap=False, reg=(), wiecej=(), **opcje):
    # fabryka: lista warstw, potem Sequential
    warstwy = [nn.Conv2d(IMAGE_SHAPE[0], 12, 3, **opcje), nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    warstwy += [nn.Conv2d(12, 24, 3, **opcje), *[r(24) for r in reg], nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    for a, b in zip([24, *wiecej], wiecej):
        warstwy += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
    warstwy += [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()] if gap else [nn.Flatten()]
    model = nn.Sequential(*warstwy, nn.LazyLinear(10))
    model(torch.zeros(1, *IMAGE_SHAPE))
    return model.to(DEVICE)

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

def ucz(name, model, epoki=3, lr=0.01, beta=0.9):
    # własny optymalizator: SGD z pędem, bez .backward()
    print(summary(model, input_size=(1,) + IMAGE_SHAPE))
    torch.manual_seed(3)
    n = len(trainset)
    kolejnosc = torch.randperm(n).tolist()
    trening = torch.utils.data.Subset(trainset, kolejnosc[n // 10:])
    val = torch.utils.data.Subset(trainset, kolejnosc[:n // 10])
    parametry = [p for p in model.parameters() if p.requires_grad]
    ped = [torch.zeros_like(p) for p in parametry]
    historia = pusta()
    for e in range(epoki):
        model.train()
        suma = 0.0
        for x, y in DataLoader(trening, batch_size=50, shuffle=True):
            strata = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE))
            gradienty = torch.autograd.grad(strata, parametry)
            with torch.no_grad():
                for p, v, g in zip(parametry, ped, gradienty):
                    v.mul_(beta).add_(g)
                    p.sub_(lr * v)
            suma += strata.item() * len(y)
        dopisz(historia, suma / len(trening), model, val)
    ocen(name, model, historia)

# %% task3_baseline
ucz("baseline", siec())
rysuj("baseline")
