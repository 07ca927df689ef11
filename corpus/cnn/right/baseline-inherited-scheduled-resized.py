# /// row
# summary = "Task 3: one class for each network, inherited, Grad-CAM; a schedule, early stopping, best weights from a copy; images resized to 24×24"
# right = ["task3_architecture_tests", "task3_training_tests", "task3_accuracy_tests"]
# ///

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
class Bazowa(nn.Module):
    kanaly, pool, wejscia = (IMAGE_SHAPE[0], 8, 16), nn.Identity(), None

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([self.konwolucja(a, b) for a, b in zip(self.kanaly, self.kanaly[1:])])
        self.regularyzacja = nn.Identity()
        self.klasyfikator = nn.LazyLinear(10)

    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, kernel_size=3)

    def cechy(self, x):
        for nr, conv in enumerate(self.convs):
            x = torch.relu_(conv(x))
            x = self.pool(x) if nr < 2 else x
        return self.regularyzacja(x)

    def wektor(self, x):
        return x.view(x.size(0), -1)

    def forward(self, x):
        return self.klasyfikator(self.wektor(self.cechy(x)))

class Max(Bazowa):
    pool = nn.MaxPool2d(3, stride=2)

class Avg(Bazowa):
    pool = nn.AvgPool2d(3, stride=2)

class Gap(Max):
    def wektor(self, x):
        return x.mean(dim=[-2, -1])

class ZDropoutem(Gap):
    def __init__(self):
        super().__init__()
        self.regularyzacja = nn.Dropout2d(0.15)

class Gleboka(ZDropoutem):
    kanaly = (IMAGE_SHAPE[0], 8, 16, 16)

class Wlasna(ZDropoutem):
    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, 3, padding=1, stride=2 if a == IMAGE_SHAPE[0] else 1)
    pool = nn.MaxPool2d(2)

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

import copy

def ucz(name, model, epoki=4, cierpliwosc=2):
    # harmonogram, wczesne zatrzymanie i najlepsze wagi z kopii
    print(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0))
    trening, val = random_split(trainset, [0.9, 0.1], generator=torch.Generator().manual_seed(1))
    loader = DataLoader(trening, batch_size=64, shuffle=True)
    opt = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    plan = optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=epoki * len(loader))
    historia, najlepsza, wagi, bez_poprawy = pusta(), float("inf"), None, 0
    for epoka in range(epoki):
        model.train()
        straty = []
        for x, y in loader:
            strata = nn.CrossEntropyLoss()(model(x.to(DEVICE)), y.to(DEVICE))
            opt.zero_grad(set_to_none=True)
            strata.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            opt.step()
            plan.step()
            straty.append(strata.item())
        dopisz(historia, sum(straty) / len(straty), model, val)
        if historia["val_loss"][-1] < najlepsza:
            najlepsza, wagi, bez_poprawy = historia["val_loss"][-1], copy.deepcopy(model.state_dict()), 0
        else:
            bez_poprawy += 1
            if bez_poprawy >= cierpliwosc:
                break
    model.load_state_dict(wagi)
    ocen(name, model, historia)

# %% task3_baseline
ucz("baseline", Bazowa())
rysuj("baseline")
